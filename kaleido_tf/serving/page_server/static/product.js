// A product that was found: its photo, match, what is like it, and which words speak for it.

import { ask } from "/server.js";

const byId = (id) => document.getElementById(id);

export const titleOf = (product) => String(product.fields.title || product.product_id);

function kindOf(product) {
  const { category, subcategory } = product.fields;
  return [...new Set([category, subcategory].filter(Boolean))].join(" · ");
}

export function photoAddress(product, size) {
  return `/photo/${encodeURIComponent(product.image_id)}?size=${size}`;
}

// The element of a product. words: what was typed, "" without any; facts: of the server; more: what
// "More like this" does.
export function card(product, words, facts, more) {
  const item = byId("product").content.firstElementChild.cloneNode(true);
  const part = (selector) => item.querySelector(selector);
  const title = titleOf(product);
  part("h3").textContent = title;
  part("article").setAttribute("aria-label", title);
  part(".kind").textContent = kindOf(product);
  fillPicture(part(".picture"), product, title);
  fillMatch(part(".match"), product);
  part(".like .unseen").textContent = `: ${title}`;
  part(".like").addEventListener("click", more);
  const why = part(".why");
  part(".why .unseen").textContent = ` That speak for ${title}`;
  const own = String(product.fields.text || product.fields.title || "");
  const compared = words || own.slice(0, facts.limits.text);
  why.hidden = !facts.tells_words || !compared;
  why.addEventListener("click", () => {
    toggleWords(why, part(".words"), product, compared, Boolean(words));
  });
  return item;
}

function fillPicture(place, product, title) {
  if (!product.has_photo) {
    place.classList.add("none");
    place.textContent = "no photo";
    return;
  }
  const image = new Image();
  image.loading = "lazy";
  image.alt = `Photo of ${title}`;
  image.src = photoAddress(product, 480);
  image.addEventListener("error", () => {
    place.classList.add("none");
    place.textContent = "photo cannot be shown";
  });
  place.append(image);
}

function fillMatch(place, product) {
  const text = place.querySelector(".percent");
  if (product.probability === null) {
    place.querySelector(".track").remove();
    text.textContent = `Score ${product.score.toFixed(2)}`;
    text.classList.add("soft");
    return;
  }
  const percent = 100 * product.probability;
  const shown = percent > 99 && percent < 100 ? ">99" : percent < 1 && percent > 0 ? "<1"
    : Math.round(percent);
  place.style.setProperty("--share", `${percent}%`);
  text.textContent = `${shown}% match`;
}

// Which words speak for a product.

async function toggleWords(button, place, product, words, sought) {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  place.hidden = !open;
  if (!open || place.dataset.loaded) return;
  place.dataset.loaded = "yes";
  place.textContent = "Comparing…";
  const parts = new URLSearchParams({ text: words, image_id: product.image_id });
  try {
    const answer = await ask(`/api/words?${parts}`);
    const whose = sought ? "your" : "its own";
    place.replaceChildren(paragraph(`How much ${whose} words speak for it`), bars(answer.words));
    byId("told").textContent = `${answer.words.length} words compared with ${titleOf(product)}`;
  } catch (error) {
    delete place.dataset.loaded;
    place.replaceChildren(paragraph(error.message));
  }
}

function paragraph(text) {
  const element = document.createElement("p");
  element.className = "soft";
  element.textContent = text;
  return element;
}

function bars(words) {
  const list = document.createElement("ul");
  const most = Math.max(...words.map(({ weight }) => Math.abs(weight)), 1e-9);
  for (const { word, weight } of words) {
    const item = byId("word").content.firstElementChild.cloneNode(true);
    item.querySelector(".name").textContent = word;
    const sign = weight < 0 ? "−" : "+";
    item.querySelector(".weight").textContent = sign + Math.abs(weight).toFixed(2);
    item.querySelector(".unseen").textContent = weight < 0 ? "speaks against it" : "speaks for it";
    item.classList.toggle("against", weight < 0);
    item.style.setProperty("--share", `${(50 * Math.abs(weight)) / most}%`);
    list.append(item);
  }
  return list;
}
