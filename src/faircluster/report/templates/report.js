"use strict";
// Sorting, the filter by attribute and the switch between before and after. Without it everything is shown.
document.documentElement.classList.add("js");

function sortBy(button) {
  const head = button.closest("th");
  const table = head.closest("table");
  const column = Array.prototype.indexOf.call(head.parentNode.children, head);
  const now = head.getAttribute("aria-sort");
  const down = now === null ? head.hasAttribute("data-first-down") : now === "ascending";
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[table.tBodies.length - 1];
  const value = (row) => row.children[column].getAttribute("data-sort") ?? row.children[column].textContent;
  const rows = Array.from(body.rows);
  rows.sort((one, two) => {
    const a = value(one), b = value(two);
    if (a === "" || b === "") return (a === "") - (b === "");  // what is missing comes last either way
    const x = Number(a), y = Number(b);
    const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
    return down ? -order : order;
  });
  body.append(...rows);
}

function show() {
  const filter = document.getElementById("attribute");
  const chosen = document.querySelector('input[name="when"]:checked');
  for (const part of document.querySelectorAll("[data-attribute], [data-when]")) {
    const attribute = part.getAttribute("data-attribute");
    const when = part.getAttribute("data-when");
    const elsewhere = filter && filter.value !== "" && attribute !== null && attribute !== filter.value;
    part.hidden = Boolean(elsewhere || (chosen && when !== null && when !== chosen.value));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("th button");
  if (button) sortBy(button);
});
document.addEventListener("change", show);
show();
