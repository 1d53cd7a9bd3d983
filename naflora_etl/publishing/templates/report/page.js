"use strict";
const FEW = 12;
const make = (tag, values) => Object.assign(document.createElement(tag), values);
const said = cell => (cell?.dataset.value ?? cell?.textContent ?? "").trim();
const number = text => text === "" ? NaN : Number(text.replace(/[,%>]/g, ""));

function sortBy(table, column, heading) {
  const down = heading.getAttribute("aria-sort") ? heading.getAttribute("aria-sort") === "ascending" : heading.classList.contains("n");
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows], keys = new Map(rows.map(row => [row, said(row.cells[column])]));
  const figures = rows.every(row => !Number.isNaN(number(keys.get(row))));
  const order = figures ? (a, b) => number(a) - number(b) : (a, b) => a.localeCompare(b, "en", { numeric: true });
  rows.sort((a, b) => order(keys.get(a), keys.get(b)) * (down ? -1 : 1));
  table.tBodies[0].append(...rows);
}

function tend(table) {
  const rows = () => [...table.tBodies[0].rows], total = rows().length;
  const words = new Map(rows().map(row => [row, row.textContent.toLowerCase()]));
  let isOpen = total <= FEW + 3, wanted = "";
  const tools = make("div", { className: "tools" }), count = make("span", { role: "status" });
  const all = make("button", { type: "button" });
  const show = () => {
    const found = rows().filter(row => words.get(row).includes(wanted));
    const shown = new Set(isOpen || wanted ? found : found.slice(0, FEW));
    for (const row of rows()) row.hidden = !shown.has(row);
    count.textContent = wanted ? `${found.length} of ${total} rows` : "";
    all.hidden = Boolean(wanted) || total <= FEW + 3;
    all.textContent = isOpen ? "Show fewer" : `Show all ${total} rows`;
  };
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    if (!heading.textContent.trim() || total < 2) return;
    const button = make("button", { type: "button", textContent: heading.textContent });
    button.addEventListener("click", () => { sortBy(table, column, heading); show(); });
    heading.replaceChildren(button);
  });
  if (total > FEW) {
    const search = make("input", { type: "search", placeholder: "search", ariaLabel: `Search: ${table.caption.textContent}` });
    search.addEventListener("input", () => { wanted = search.value.trim().toLowerCase(); show(); });
    tools.append(search, count);
    table.parentElement.before(tools);
    table.parentElement.after(all);
  }
  all.addEventListener("click", () => { isOpen = !isOpen; show(); });
  show();
}

function slide(pair) {
  const range = make("input", { type: "range", min: 0, max: 100, value: 50, ariaLabel: `${pair.dataset.name}: how much of the sheet is shown as it was before` });
  range.addEventListener("input", () => pair.style.setProperty("--at", `${range.value}%`));
  pair.classList.add("slide");
  pair.append(range);
}

function offer(text) {
  const button = make("button", { type: "button", textContent: "Copy" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected; copy it";
    }
  });
  text.after(button);
}

document.querySelectorAll("table.tended").forEach(tend);
document.querySelectorAll(".pair").forEach(slide);
document.querySelectorAll("pre.copied").forEach(offer);
const reach = () => document.querySelectorAll(".scroll").forEach(box => {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; else box.removeAttribute("tabindex");
});
addEventListener("resize", reach);
reach();
