"""How the page looks: light and dark, from a phone's width up.

Colours of text have a contrast of 4.5:1 and more on what they stand on, shaded cells too.
"""

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --soft: #545d68;
  --rule: #d3d9e0; --link: #0550ae; --raised: #f4f6f8; --train: #0b5cad; --eval: #b3400a;
  --bar: #3478c0; --hit: 96 165 224; --miss: 240 150 110; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171c; --text: #e8eaed; --soft: #a7afba; --rule: #3a414b; --link: #7ab7ff;
    --raised: #1d2127; --train: #6cb4ff; --eval: #ffa657; --bar: #4f93d8; --hit: 32 92 156;
    --miss: 150 66 30; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1, h2, h3, h4 { line-height: 1.25; margin: 1.5em 0 0.5em; }
h1 { margin-top: 0.5em; font-size: 1.6rem; }
h2 { border-top: 1px solid var(--rule); padding-top: 1em; font-size: 1.35rem; }
h3 { font-size: 1.15rem; }
h4 { font-size: 1rem; }
p { margin: 0.4em 0; }
a { color: var(--link); }
nav ul { padding-left: 1.2rem; }
nav > ul { columns: 16rem; }
nav > ul > li { break-inside: avoid; }
nav li { padding: 0.15rem 0; }
code { font-family: ui-monospace, monospace; font-size: 0.9em; }
summary { cursor: pointer; padding: 0.4rem 0; color: var(--link); }
.note, .missing, dt, caption, figcaption { color: var(--soft); }
.note { font-size: 0.9rem; }
.box { position: relative; overflow-x: auto; max-width: 100%; margin: 0.8rem 0; }
.box:focus-visible, a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); }
table { border-collapse: collapse; font-size: 0.9rem; overflow-wrap: normal; }
caption { text-align: left; padding-bottom: 0.4rem; min-width: 16rem; max-width: 88vw; }
th, td { border-bottom: 1px solid var(--rule); padding: 0.3rem 0.6rem; text-align: right;
  vertical-align: top; font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-weight: 600; }
th[scope=row] { text-align: left; font-weight: 400; white-space: normal; min-width: 8rem; }
th[scope=colgroup] { text-align: left; }
.group { border-left: 1px solid var(--rule); }
td.fact { text-align: left; white-space: normal; }
.settings td { text-align: left; min-width: 7rem; white-space: normal; overflow-wrap: anywhere; }
.settings th[scope=col] { text-align: left; }
.confusion td { padding: 0; width: 1.6rem; min-width: 1.6rem; height: 1.6rem; text-align: center;
  vertical-align: middle; font-size: 0.75rem; border: 1px solid var(--rule); }
.confusion th { font-size: 0.75rem; padding: 0.1rem 0.4rem; white-space: nowrap; }
.confusion th[scope=col] { vertical-align: bottom; font-weight: 400; padding: 0.3rem 0; }
.confusion th[scope=col] span { writing-mode: vertical-rl; transform: rotate(180deg); }
.confusion th[scope=row], .confusion thead td { position: sticky; left: 0; min-width: 0;
  background: var(--page); text-align: right; white-space: nowrap; vertical-align: middle; }
.confusion thead td { border: 0; }
.confusion th[scope=row] { max-width: 40vw; overflow: hidden; text-overflow: ellipsis; }
.hit { background: rgb(var(--hit) / var(--share)); }
.miss { background: rgb(var(--miss) / var(--share)); }
.bars { width: 100%; max-width: 48rem; }
.bars th, .bars td { vertical-align: middle; padding: 0.3rem 0.25rem; }
.bars th[scope=row] { min-width: 0; }
.bars th[scope=col]:first-child { text-align: left; }
.unseen { position: absolute; clip-path: inset(50%); }
.track { width: 60%; min-width: 3rem; }
.bar { height: 0.8rem; background: var(--bar); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr));
  gap: 1rem; }
figure { margin: 0; }
svg { display: block; width: 100%; max-width: 30rem; height: auto; }
.grid { stroke: var(--rule); stroke-width: 1; }
.tick { fill: var(--soft); font-size: 12px; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.train { stroke: var(--train); }
.line.eval { stroke: var(--eval); stroke-dasharray: 5 3; }
.dot.train { fill: var(--train); }
.dot.eval { fill: var(--eval); }
.swatch { display: inline-block; width: 1.6rem; vertical-align: middle; }
.swatch.train { border-top: 3px solid var(--train); }
.swatch.eval { border-top: 3px dashed var(--eval); }
.cases, .captions { list-style: none; padding: 0; display: grid; gap: 0.8rem; }
.cases { grid-template-columns: repeat(auto-fill, minmax(min(100%, 10.5rem), 1fr)); }
.captions { grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
.cases li, .captions li { background: var(--raised); border: 1px solid var(--rule);
  border-radius: 6px; padding: 0.6rem; font-size: 0.9rem; }
.captions li { display: flex; gap: 0.8rem; }
.captions img { align-self: flex-start; }
.captions .missing { flex: 0 0 6rem; }
img { display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; }
.captions img { max-width: 30%; }
dl { margin: 0; }
dd { margin: 0 0 0.5rem; }
"""
