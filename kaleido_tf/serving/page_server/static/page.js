// The search page. What is asked stands in the address of the page, so that back, forward and a
// shared link work; a photo cannot, and is kept as long as the page is open.

import { ask } from "/server.js";
import { card, photoAddress, titleOf } from "/product.js";

const STEP = 12; // products shown at first, and added by "Show more"
const RERANKED = 24;
const FIELD = "where."; // before the names of fields in the page's address
const byId = (id) => document.getElementById(id);

const photos = new Map(); // number in history.state -> File
let facts = null;
let asked = null; // the search that is shown
let running = null; // AbortController of the request that is under way
let preview = null; // address of the photo that is shown as sought

// What is asked: from the page's address, and to it.

function fromAddress() {
  const given = new URLSearchParams(location.search);
  const where = {};
  for (const [name, value] of given) {
    if (name.startsWith(FIELD)) where[name.slice(FIELD.length)] = value;
  }
  const number = (name, least) => Math.max(least, Math.trunc(Number(given.get(name))) || 0);
  return {
    text: given.get("text") || "",
    like: given.get("like") || "",
    photo: photos.get(history.state?.photo) ?? null,
    lost: given.has("photo") && !photos.has(history.state?.photo),
    where,
    top: number("top", STEP),
    rerank: number("rerank", 0),
    least: given.get("min_probability") || "",
  };
}

function address(query) {
  const parts = new URLSearchParams();
  if (query.text) parts.set("text", query.text);
  if (query.like) parts.set("like", query.like);
  if (query.photo) parts.set("photo", "1");
  for (const [name, value] of Object.entries(query.where)) parts.set(FIELD + name, value);
  if (query.top > STEP) parts.set("top", query.top);
  if (query.text && query.rerank) parts.set("rerank", query.rerank);
  if (query.text && query.least) parts.set("min_probability", query.least);
  return parts.size ? `/?${parts}` : "/";
}

function go(query) {
  let number = null;
  if (query.photo) {
    number = [...photos].find(([, file]) => file === query.photo)?.[0] ?? photos.size + 1;
    photos.set(number, query.photo);
  }
  const target = address(query);
  const here = location.pathname + location.search;
  const same = target === here && number === (history.state?.photo ?? null);
  history[same ? "replaceState" : "pushState"]({ photo: number }, "", target);
  return run();
}

// Asks, and shows what comes.

async function run() {
  const query = fromAddress();
  const before = asked;
  asked = query;
  fill(query);
  running?.abort();
  hideProblem();
  if (!query.text && !query.like && !query.photo) return showNothing(query);
  running = new AbortController();
  const { signal } = running;
  byId("results").setAttribute("aria-busy", "true");
  say("Searching…");
  try {
    const answer = await ask(`/api/search?${apiParameters(query)}`, {
      signal,
      ...(query.photo ? { method: "POST", body: query.photo } : {}),
    });
    show(answer, query, before);
  } catch (error) {
    if (error.name !== "AbortError") showProblem(error);
  } finally {
    if (running.signal === signal) byId("results").removeAttribute("aria-busy");
  }
}

function apiParameters(query) {
  const parts = new URLSearchParams();
  if (query.text) parts.set("text", query.text);
  if (query.like) parts.set("like", query.like);
  const filters = Object.entries(query.where).map(([name, value]) => filterOf(name, value));
  if (filters.length) parts.set("filter", filters.join(","));
  parts.set("top", Math.min(query.top, facts.limits.top));
  if (query.text && query.rerank) {
    const again = Math.max(query.rerank, query.top);
    parts.set("rerank", Math.min(again, facts.limits.rerank, facts.products));
  }
  if (query.text && query.least) parts.set("min_probability", query.least);
  return parts;
}

function filterOf(name, value) {
  const field = facts.fields.find((each) => each.name === name);
  const known = field?.values.find((each) => each.value === value);
  return known ? known.filter : `${name}="${value.replaceAll('"', '""')}"`;
}

function show(answer, query, before) {
  const list = byId("found");
  const grown = before && query.top > before.top && list.children.length > 0
    && address({ ...query, top: STEP }) === address({ ...before, top: STEP });
  const old = grown ? list.children.length : 0;
  list.replaceChildren(...answer.found.map((product) => cardOf(product, query)));
  byId("more").hidden = answer.count < query.top || query.top >= facts.limits.top
    || answer.count >= facts.products;
  showSought(query, answer.liked);
  say(summary(answer, query));
  document.title = `${named(query, answer.liked)} · Search the catalogue`;
  if (grown) list.children[old]?.querySelector("h3").focus();
}

function cardOf(product, query) {
  return card(product, query.text, facts, () => {
    go({ ...asked, text: "", photo: null, like: product.product_id, top: STEP, least: "" });
    byId("results").focus({ preventScroll: true });
    scrollTo({ top: 0 });
  });
}

function summary(answer, query) {
  const what = named(query, answer.liked);
  if (!answer.count) {
    const narrowed = Object.keys(query.where).length || query.least;
    return `Nothing found: ${what}.${narrowed ? " Fewer limits may find more." : ""}`;
  }
  return `${answer.count} ${answer.count === 1 ? "product" : "products"}: ${what}`;
}

function named(query, liked) {
  if (query.like) return `like “${liked ? titleOf(liked) : query.like}”`;
  const words = query.text ? `“${query.text}”` : "";
  const photo = query.photo ? "like your photo" : "";
  return [words, photo].filter(Boolean).join(", ");
}

function showNothing(query) {
  byId("found").replaceChildren();
  byId("more").hidden = true;
  byId("results").removeAttribute("aria-busy");
  document.title = "Search the catalogue";
  const hint = facts.takes_photos ? "Type words, or choose a photo." : "Type words.";
  say(query.lost ? "The photo of this search is not here any more. Choose it again." : hint);
}

function say(text) {
  byId("status").textContent = text;
}

function showProblem(error) {
  byId("found").replaceChildren();
  byId("more").hidden = true;
  say("");
  byId("problem").textContent = error.message;
  byId("problem").hidden = false;
}

function hideProblem() {
  byId("problem").hidden = true;
  byId("problem").textContent = "";
}

// The form.

function fill(query) {
  byId("text").value = query.text;
  for (const select of byId("fields").querySelectorAll("select")) {
    const { name } = select.dataset;
    const value = name === undefined ? query[select.dataset.asked] : query.where[name] ?? "";
    choose(select, String(value || ""));
  }
  const count = byId("fields").querySelectorAll(".chosen").length;
  byId("chosen").textContent = count ? ` (${count} chosen)` : "";
  showSought(query, null);
}

function choose(select, value) {
  if (![...select.options].some((option) => option.value === value)) {
    select.add(new Option(value, value)); // of an address that someone wrote
  }
  select.value = value;
  select.parentElement.classList.toggle("chosen", value !== "");
}

function showSought(query, liked) {
  byId("sought").hidden = !query.photo && !query.like;
  if (preview) URL.revokeObjectURL(preview);
  preview = query.photo ? URL.createObjectURL(query.photo) : null;
  byId("sought-picture").replaceChildren();
  if (preview || liked?.has_photo) {
    const image = new Image();
    image.alt = query.photo ? "Your photo" : `Photo of ${titleOf(liked)}`;
    image.src = preview ?? photoAddress(liked, 160);
    image.addEventListener("error", () => image.remove());
    byId("sought-picture").append(image);
  }
  const like = liked ? `Like “${titleOf(liked)}”` : "Like a product";
  byId("sought-name").textContent = query.photo ? query.photo.name || "Your photo" : like;
}

function current() {
  const where = {};
  const query = { ...asked, where, text: byId("text").value.trim(), top: STEP };
  for (const select of byId("fields").querySelectorAll("select")) {
    if (select.dataset.name === undefined) query[select.dataset.asked] = select.value;
    else if (select.value) where[select.dataset.name] = select.value;
  }
  query.rerank = Number(query.rerank) || 0;
  if (query.text) query.like = ""; // a product's likes are sought alone
  return query;
}

function addSelect(label, data, options) {
  const element = document.createElement("label");
  const select = document.createElement("select");
  Object.assign(select.dataset, data);
  element.append(label.charAt(0).toUpperCase() + label.slice(1), select);
  for (const [text, value] of options) select.add(new Option(text, value));
  select.addEventListener("change", () => go(current()));
  byId("fields").append(element);
}

function addFields() {
  for (const { name, values } of facts.fields) {
    const options = values.map(({ value, products }) => [`${value} (${products})`, value]);
    addSelect(name, { name }, [["any", ""], ...options]);
  }
  if (facts.has_probabilities) {
    const options = [0.25, 0.5, 0.75, 0.9].map((p) => [`${100 * p}% or more`, String(p)]);
    addSelect("match", { asked: "least" }, [["any", ""], ...options]);
  }
  addSelect("ranking", { asked: "rerank" }, [
    ["quick", ""],
    [`best ${Math.min(RERANKED, facts.products)} compared again (slower)`,
      String(Math.min(RERANKED, facts.products))],
  ]);
  byId("filters").hidden = false;
  byId("filters").open = matchMedia("(min-width: 36rem)").matches;
}

function takePhoto(file) {
  if (!file) return;
  if (!facts.takes_photos) {
    showProblem(new Error("This index cannot be searched with a photo."));
  } else if (file.size > facts.limits.photo_bytes) {
    const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
    const most = megabytes(facts.limits.photo_bytes);
    showProblem(new Error(`A photo of at most ${most} MB is needed. Received: ${
      megabytes(file.size)} MB`));
  } else {
    go({ ...current(), photo: file, like: "" });
  }
}

function listen() {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    go(current());
  });
  byId("photo").addEventListener("change", (event) => {
    takePhoto(event.target.files[0]);
    event.target.value = "";
  });
  byId("sought-remove").addEventListener("click", () => {
    go({ ...current(), photo: null, like: "" });
    byId("text").focus();
  });
  byId("more").addEventListener("click", () => {
    go({ ...asked, top: Math.min(asked.top + STEP, facts.limits.top) });
  });
  addEventListener("popstate", run);
  addEventListener("paste", (event) => takePhoto(event.clipboardData?.files[0]));
  const dragging = (event, is) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dragging", is);
  };
  addEventListener("dragover", (event) => dragging(event, true));
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) dragging(event, false);
  });
  addEventListener("drop", (event) => {
    dragging(event, false);
    takePhoto(event.dataTransfer?.files[0]);
  });
}

async function start() {
  try {
    facts = await ask("/api/fields");
  } catch (error) {
    showProblem(error);
    return;
  }
  const { products, photos: shown } = facts;
  const without = facts.shows_photos ? "" : "; photos are not shown: started without --catalogue";
  byId("facts").textContent = `${products.toLocaleString("en")} products, ${
    shown.toLocaleString("en")} photos${without}`;
  byId("photos").hidden = !facts.takes_photos;
  addFields();
  listen();
  run();
}

start();
