/** The style of the page and of its charts. */
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
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
header, main { max-width: 72rem; margin: 0 auto; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 0 0 .5rem; font-size: 1.1rem; line-height: 1.3; }
p, ul { margin: .25rem 0 .75rem; }
section > :last-child { margin-bottom: 0; }
code, pre { font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: .9em; }
.muted { color: var(--muted); }
section { margin-top: 1rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.warnings { background: var(--warn); border: 2px solid var(--warn-line); }
.recommendation { border-left: 5px solid var(--accent); }
.recommendation.none { border-left-color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 0 0 1rem; }
.tiles div { padding: .6rem .8rem; background: var(--soft); border-radius: 8px; }
.tiles dt { color: var(--muted); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.3rem; font-weight: 650; line-height: 1.3; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); column-gap: 1rem; }
pre { margin: 0; padding: .9rem 1rem; background: var(--page); border: 1px solid var(--line); border-radius: 8px; white-space: pre-wrap; }
.chart { display: block; width: 100%; max-width: 36rem; margin: 0 auto; font-size: 12px; fill: var(--ink); text-anchor: middle; }
.chart .grid { stroke: var(--line); }
.chart .tick { fill: var(--muted); text-anchor: end; }
.chart .title { font-weight: 600; }
.chart .line { fill: none; stroke: var(--accent); stroke-width: 2; }
.chart .range { stroke: var(--ink); }
.chart .point { fill: var(--accent); }
.chart .ring { fill: none; stroke: var(--ink); stroke-width: 2; }
.chart .cut { fill: var(--muted); font-size: 9px; }
.chart .bad { fill: var(--bad); font-size: 15px; font-weight: 700; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: separate; border-spacing: 3px; font-size: .85rem; overflow-wrap: normal; font-variant-numeric: tabular-nums; }
th { font-weight: 600; }
th, td { padding: .3rem .35rem; text-align: center; border-radius: 4px; }
.bars th { white-space: nowrap; text-align: right; }
.bars td { width: 100%; text-align: left; }
.bar { display: inline-block; height: .9rem; vertical-align: middle; background: var(--heat); border-radius: 3px; }
.heat td { background: color-mix(in srgb, var(--heat) var(--share), transparent); }
.heat td.unusable { background: none; color: var(--bad); outline: 1px dashed var(--bad); outline-offset: -2px; }
.heat td.recommended { outline: 2px solid var(--ink); font-weight: 700; }
@media (max-width: 40rem) {
  body { padding: 1rem .5rem 2rem; }
  header { padding: 0 .5rem; }
  section { padding: 1rem .75rem; }
  .heat { font-size: .7rem; border-spacing: 2px; }
  .heat th, .heat td { padding: .25rem .1rem; }
}
`
