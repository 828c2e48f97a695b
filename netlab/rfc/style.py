"""The one style sheet of the pages, to be served at ``STYLE_PATH``.

Small screens first: one column, and drawings as large as they may be with no scrolling.
Light or dark is what the reader's system says. Nothing is fetched from elsewhere.
"""

STYLE_PATH = "/style.css"

STYLE = """\
:root {
  color-scheme: light dark;
  --text: #1b1b1f; --soft: #5c5c66; --back: #fdfdfc; --raised: #f2f2ee; --line: #d9d9d2;
  --link: #0b57a4; --mark: #ffe27a; --warn-back: #fff1d6; --warn-line: #e0a030;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e4e4e0; --soft: #a2a2aa; --back: #161619; --raised: #202024; --line: #3a3a40;
    --link: #8ab8f0; --mark: #6b5600; --warn-back: #33270c; --warn-line: #a87820;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 3.5rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--back); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
a { color: var(--link); text-decoration-thickness: .06em; text-underline-offset: .15em; }
a:focus-visible, input:focus-visible, button:focus-visible, summary:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px;
}
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; z-index: 2; background: var(--back); padding: .25rem .5rem; }
.top {
  position: sticky; top: 0; z-index: 1; display: flex; gap: .5rem 1rem; align-items: center;
  padding: .4rem 1rem; background: var(--back); border-bottom: 1px solid var(--line);
}
.top > a { font-weight: 600; text-decoration: none; color: var(--text); white-space: nowrap; }
.top form { flex: 1; max-width: 30rem; margin-left: auto; }
form { display: flex; gap: .5rem; margin: 0; }
input[type=search], button {
  font: inherit; color: inherit; border: 1px solid var(--line); border-radius: .4rem;
  padding: .3rem .6rem; background: var(--back);
}
input[type=search] { flex: 1; min-width: 0; width: 100%; }
button { background: var(--raised); cursor: pointer; }
main { padding: 1rem; max-width: 46rem; margin: 0 auto; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .2rem 0 .5rem; }
h2, h3, h4, h5, h6 { line-height: 1.3; margin: 2rem 0 .5rem; }
h2 { font-size: 1.2rem; } h3 { font-size: 1.08rem; } h4, h5, h6 { font-size: 1rem; }
h2 a, h3 a, h4 a, h5 a, h6 a { color: inherit; text-decoration: none; }
h2 a:hover, h3 a:hover, h4 a:hover, h5 a:hover, h6 a:hover { text-decoration: underline; }
:target { background: var(--warn-back); }
.soft { color: var(--soft); font-size: .9rem; }
.soft p, p.soft { margin: .2rem 0; }
.actions { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .6rem 0; padding: 0;
  list-style: none; }
.banner {
  margin: .8rem 0; padding: .4rem .8rem; background: var(--raised);
  border-left: 4px solid var(--line); border-radius: .2rem;
}
.banner p { margin: .15rem 0; }
.banner.old { background: var(--warn-back); border-color: var(--warn-line); }
.badge {
  display: inline-block; padding: 0 .45rem; border: 1px solid var(--line); border-radius: .6rem;
  font-size: .8rem; white-space: nowrap; color: var(--soft);
}
.badge.old { border-color: var(--warn-line); background: var(--warn-back); color: inherit; }
mark { background: var(--mark); color: inherit; border-radius: .15rem; }
pre, code {
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
pre {
  margin: .8rem 0; overflow-x: auto; line-height: 1.3;
  font-size: clamp(7.4px, calc((100vw - 2rem) / 44), .85rem);
}
pre.middle { font-size: clamp(10px, calc((100vw - 2rem) / 34), .85rem); }
pre.narrow { font-size: .85rem; }
p { margin: .7rem 0; }
p.term { font-weight: 600; margin-bottom: 0; }
p.term + p { margin-top: 0; }
p.item { text-indent: -1.3rem; padding-left: 1.3rem; }
.marker { display: inline-block; min-width: 1.3rem; padding-right: .5rem; text-indent: 0; }
.d1 { margin-left: .8rem; } .d2 { margin-left: 1.6rem; } .d3 { margin-left: 2.2rem; }
.d4 { margin-left: 2.6rem; } .d5, .d6 { margin-left: 3rem; }
.contents { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: .5rem; }
.contents ol { list-style: none; margin: 0; padding: 0; }
.contents li { margin: .3rem 0; line-height: 1.3; }
.contents a { text-decoration: none; }
.contents .l2 { padding-left: 1rem; } .contents .l3 { padding-left: 2rem; }
.contents .l4, .contents .l5, .contents .l6 { padding-left: 3rem; }
.results, .list { list-style: none; margin: 0; padding: 0; }
.results > li { margin: 1.2rem 0; }
.results h2 { margin: 0; font-size: 1.08rem; }
.results h2 a { color: var(--link); }
.results p { margin: .15rem 0; }
.list li { margin: .5rem 0; line-height: 1.35; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
.notes { white-space: pre-line; }
.erratum { border-top: 1px solid var(--line); margin-top: 1rem; }
.pager { display: flex; justify-content: space-between; margin: 1.5rem 0; }
.welcome { margin: 1.5rem 0; }
footer { padding: 1.5rem 1rem; text-align: center; }
@media (max-width: 30rem) {
  .d2 { margin-left: 1rem; } .d3, .d4 { margin-left: 1.3rem; } .d5, .d6 { margin-left: 1.6rem; }
  dl { display: block; } dd { margin: 0 0 .4rem; }
}
@media (min-width: 68rem) {
  .reader { display: grid; grid-template-columns: minmax(14rem, 19rem) minmax(0, 46rem);
    gap: 0 2.5rem; max-width: 68rem; }
  .reader article { grid-column: 2; grid-row: 1; }
  .reader .contents {
    grid-column: 1; grid-row: 1; position: sticky; top: 3.2rem; align-self: start;
    max-height: calc(100vh - 4rem); overflow-y: auto; margin: 0; padding: .5rem 0; border: 0;
    font-size: .88rem;
  }
  .to-contents { display: none; }
}
@media print {
  .top, .contents, .actions, footer { display: none; }
  main { max-width: none; } pre { white-space: pre-wrap; }
}
"""
