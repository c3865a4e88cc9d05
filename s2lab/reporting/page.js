"use strict";
// Sort a table by the column whose heading is pressed; what is missing stays last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.parentElement;
    const column = heading.cellIndex;
    const body = heading.closest("table").tBodies[0];
    const numeric = heading.classList.contains("number");
    const before = heading.getAttribute("aria-sort");
    const falling = before ? before === "ascending" : numeric;
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      if (!numeric) return cell.textContent;
      return "order" in cell.dataset ? Number(cell.dataset.order) : null;
    };
    const rows = Array.from(body.rows, (row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = numeric ? a - b : a.localeCompare(b, "en", { numeric: true });
      return falling ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
  });
}
// Paper has no folds.
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details")) {
    fold.dataset.was = fold.open ? "open" : "";
    fold.open = true;
  }
});
addEventListener("afterprint", () => {
  for (const fold of document.querySelectorAll("details")) fold.open = fold.dataset.was === "open";
});
