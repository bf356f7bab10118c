// Filters and sorting. The page is whole without this file; the state of a view lies in the address:
// #suspects?kind=shifted&q=duts&sort=-score
(() => {
  "use strict";

  const collator = new Intl.Collator("en", { numeric: true });

  function cellValue(row, column) {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  }

  function compare(one, two) {
    if (typeof one === "number" && typeof two === "number") return one - two;
    if (typeof one !== typeof two) return typeof one === "number" ? -1 : 1; // missing numbers come last
    return collator.compare(one, two);
  }

  class SortedTable {
    constructor(table, onSort) {
      this.body = table.tBodies[0];
      this.rows = [...this.body.rows];
      this.heads = [...table.tHead.rows[0].cells];
      this.state = "";
      for (const head of this.heads) {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...head.childNodes);
        button.addEventListener("click", () => {
          const key = head.dataset.key;
          this.sort(this.state === key ? "-" + key : key);
          onSort();
        });
        head.append(button);
        head.setAttribute("aria-sort", "none");
      }
    }

    sort(state) {
      const column = this.heads.findIndex((head) => head.dataset.key === state.replace(/^-/, ""));
      this.state = column < 0 ? "" : state;
      const sign = state.startsWith("-") ? -1 : 1;
      this.heads.forEach((head, position) => {
        const order = sign < 0 ? "descending" : "ascending";
        head.setAttribute("aria-sort", position === column ? order : "none");
      });
      const ranked = this.rows.map((row) => [column < 0 ? 0 : cellValue(row, column), row]);
      ranked.sort((one, two) => sign * compare(one[0], two[0]));
      this.body.append(...ranked.map(([, row]) => row));
    }
  }

  class View {
    constructor(section) {
      this.name = section.dataset.view;
      this.form = section.querySelector("form.controls");
      this.output = this.form.querySelector("output");
      this.selects = [...this.form.querySelectorAll("select")];
      this.rows = [...section.querySelectorAll(".sortable tbody tr")];
      this.cards = [...section.querySelectorAll(".card")];
      this.groups = [...section.querySelectorAll(".group, .evaluation")];
      this.texts = new Map([...this.rows, ...this.cards].map((item) => [item, item.textContent.toLowerCase()]));
      this.table = new SortedTable(section.querySelector(".sortable table"), () => this.remember());
      this.form.hidden = false;
      // Without this file an address of a view leads to the heading of its cards; with it, to the filters.
      for (const heading of section.querySelectorAll(".group > [id]")) heading.removeAttribute("id");
      this.form.addEventListener("input", () => this.changed());
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.form.addEventListener("reset", () => {
        this.table.sort("");
        setTimeout(() => this.changed()); // the fields are cleared after the event
      });
      this.filter();
    }

    changed() {
      this.filter();
      this.remember();
    }

    wanted() {
      return this.selects.filter((select) => select.value).map((select) => [select.name, select.value]);
    }

    filter() {
      const wanted = this.wanted();
      const query = this.form.elements.q.value.trim().toLowerCase();
      const fits = (item, keys) =>
        keys.every(([key, value]) => !(key in item.dataset) || item.dataset[key].split("\n").includes(value));
      for (const item of [...this.rows, ...this.cards]) {
        item.hidden = !(fits(item, wanted) && this.texts.get(item).includes(query));
      }
      const active = wanted.length > 0 || query !== "";
      for (const group of this.groups) {
        group.hidden = active && !(fits(group, wanted) && group.querySelector(".card:not([hidden])"));
      }
      const visible = (items) => items.filter((item) => !item.hidden).length.toLocaleString("en");
      const parts = [`${visible(this.rows)} of ${this.rows.length.toLocaleString("en")} rows`];
      if (this.cards.length) parts.push(`${visible(this.cards)} of ${this.cards.length} cards`);
      this.output.value = parts.join(", ");
    }

    remember() {
      const state = new URLSearchParams(this.wanted());
      const query = this.form.elements.q.value.trim();
      if (query) state.set("q", query);
      if (this.table.state) state.set("sort", this.table.state);
      const text = String(state);
      history.replaceState(null, "", "#" + this.name + (text ? "?" + text : ""));
    }

    restore(state) {
      this.form.elements.q.value = state.get("q") ?? "";
      for (const select of this.selects) {
        select.value = state.get(select.name) ?? "";
        if (select.selectedIndex < 0) select.value = "";
      }
      this.table.sort(state.get("sort") ?? "");
      this.filter();
    }
  }

  const views = new Map();
  for (const section of document.querySelectorAll("[data-view]")) {
    if (section.querySelector("form.controls")) views.set(section.dataset.view, new View(section));
  }
  for (const table of document.querySelectorAll(".sortable table")) {
    if (!table.closest("[data-view]")) new SortedTable(table, () => {});
  }

  function follow() {
    const [name, query] = location.hash.slice(1).split("?", 2);
    const view = views.get(name);
    if (!view || query === undefined) return;
    view.restore(new URLSearchParams(query));
    document.getElementById(name).scrollIntoView();
  }

  window.addEventListener("hashchange", follow);
  follow();
})();
