/** The style of the report. The charts use the same variables. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #171a1f; --muted: #545b66; --line: #d9dde3;
  --accent: #0b5cad; --soft: #eaf2fb; --bad: #b3261e; --heat: #5aa2f0; --warn: #fff6e0; --warn-line: #b26a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101317; --card: #191d23; --ink: #eef1f4; --muted: #a5adb8; --line: #343b45;
    --accent: #7dbbff; --soft: #17283c; --bad: #ff8f85; --heat: #1d62b3; --warn: #2e2411; --warn-line: #e0a030;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere;
}
header, main { max-width: 80rem; margin: 0 auto; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 0 0 .5rem; font-size: 1.15rem; line-height: 1.3; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
code, pre { font-family: ui-monospace, 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: .9em; }
.muted { color: var(--muted); }
section { margin-top: 1rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
h3 { margin: 1rem 0 .25rem; font-size: 1rem; line-height: 1.3; }
.warnings { background: var(--warn); border: 2px solid var(--warn-line); }
.recommendation { border-left: 5px solid var(--accent); }
.recommendation.none { border-left-color: var(--bad); }
.recommendation p { max-width: none; font-size: 1.1rem; }
/* On a wide screen, the figures are beside the text. */
.recommendation.found { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: .5rem 1.5rem; }
.recommendation.found h2 { grid-column: 1 / -1; margin: 0; }
.key-figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 0; align-content: start; }
.key-figures div { padding: .6rem .8rem; background: var(--soft); border-radius: 8px; }
.key-figures dt { color: var(--muted); font-size: .85rem; }
.key-figures dd { margin: 0; line-height: 1.3; }
.key-figures b { font-size: 1.3rem; }
.key-figures small { display: block; color: var(--muted); font-size: .85rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); column-gap: 1rem; }
figure { margin: 0; }
figure + .scroll { margin-top: 1rem; }
figcaption { margin-bottom: .75rem; }
.chart { width: 100%; min-height: 1px; }
.chart svg { display: block; max-width: 100%; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0 0; padding: 0; list-style: none; font-size: .9rem; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
summary { cursor: pointer; }
summary h2 { display: inline; margin: 0; }
details[open] summary { margin-bottom: .5rem; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; overflow-wrap: normal; font-variant-numeric: tabular-nums; }
caption { padding-bottom: .5rem; color: var(--muted); text-align: left; }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: baseline; }
thead th { vertical-align: bottom; font-weight: 600; }
thead small { display: block; color: var(--muted); font-weight: 400; }
tbody th { font-weight: 400; }
/* Texts: how the figures of a combination were obtained, and the note. */
th:nth-child(11), td:nth-child(11), th:nth-child(12), td:nth-child(12) { text-align: left; }
td { white-space: nowrap; }
tr.unusable td, tr.unusable th { color: var(--muted); }
tr.unusable td:last-child { color: var(--bad); }
tr.best { background: var(--soft); }
tr.best td, tr.best th { font-weight: 650; }
pre { margin: 0; padding: .9rem 1rem; background: var(--page); border: 1px solid var(--line); border-radius: 8px; line-height: 1.45; }
.terms { display: grid; grid-template-columns: auto 1fr; gap: .4rem 1rem; margin: 0; }
.terms dt { font-weight: 600; }
.terms dd { margin: 0; max-width: 46rem; }
ul, ol { margin: 0; padding-left: 1.2rem; }
@media (max-width: 40rem) {
  body { padding: 1rem .5rem 2rem; }
  header { padding: 0 .5rem; }
  section { padding: 1rem .75rem; }
  .terms { grid-template-columns: 1fr; gap: 0; }
  .terms dd { margin-bottom: .6rem; }
}
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --card: #fff; --ink: #000; --muted: #444; --line: #bbb;
    --accent: #0b5cad; --soft: #fff; --bad: #b3261e; --heat: #5aa2f0; --warn: #fff; --warn-line: #000;
  }
  * { print-color-adjust: exact; }
  body { padding: 0; font-size: 10pt; }
  section { border-radius: 0; }
  h2, figcaption { break-after: avoid; }
  figure, tr, pre { break-inside: avoid; }
  .pair { display: block; }
  .scroll { overflow: visible; }
  table { font-size: 6.5pt; }
  th, td { padding: .15rem .25rem; }
  details::details-content { display: block; content-visibility: visible; }
  pre { white-space: pre-wrap; }
}
`
