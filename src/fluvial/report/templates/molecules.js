"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const body = document.querySelector("#table tbody");
  if (!body) return;

  // What is shown, read from the table once.
  const heads = [...document.querySelectorAll("#table th[data-name]")];
  const columns = heads.map((head) => ({
    name: head.dataset.name, label: head.textContent, isNumber: head.dataset.kind === "number",
  }));
  const cards = new Map([...document.querySelectorAll(".card")].map((card) => [card.dataset.row, card]));
  const start = body.rows[0].cells.length - columns.length;
  const read = (cell, column) => {
    if (!column.isNumber) return cell.textContent;
    return cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
  };
  const records = [...body.rows].map((row, index) => ({
    row,
    card: cards.get(String(index)),
    values: columns.map((column, at) => read(row.cells[start + at], column)),
    texts: columns.map((column, at) => column.isNumber ? row.cells[start + at].dataset.v : row.cells[start + at].textContent),
  }));
  const SMILES = 1;
  const state = { tests: [], sort: 0, turned: false, view: cards.size ? "cards" : "table" };
  let shown = records;

  // Filter: conditions on columns, and parts of SMILES, separated by commas or spaces.
  const compare = {
    ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
    "=": (a, b) => a === b, "!=": (a, b) => a !== b,
  };
  const same = { "==": "=", "≥": ">=", "≤": "<=", "≠": "!=" };
  const fold = (text) => text.toLowerCase().replaceAll("_", " ");
  const operator = /^\s*(>=|<=|!=|==|[<>=≥≤≠])\s*/;
  const number = /^[-+−]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?=$|[\s,;&])/i;

  function condition(text) {
    for (const [at, { name, isNumber }] of columns.entries()) {
      const sign = fold(text.slice(0, name.length)) === fold(name) && operator.exec(text.slice(name.length));
      if (!sign) continue;
      const before = text.slice(0, name.length + sign[0].length);
      const rest = text.slice(before.length);
      const value = (isNumber ? number : /^[^\s,;]+/).exec(rest);
      if (!value) return { problem: `“${before.trim()}” needs ${isNumber ? "a number" : "a word"} after it.` };
      const test = compare[same[sign[1]] || sign[1]];
      const plain = at === SMILES || isNumber ? (given) => given : fold;
      const wanted = isNumber ? Number(value[0].replace("−", "-")) : plain(value[0]);
      return {
        used: before.length + value[0].length,
        test: ({ values }) => !Number.isNaN(values[at]) && test(plain(values[at]), wanted),
      };
    }
    return null;
  }

  function fragment(text) {
    // Arrows of dative bonds, N->[Pt], are SMILES.
    const unknown = /^([^\s,;<>≥≤≠]+)\s*(?:[<>≥≤≠]|[!=]=)(?!-)/.exec(text);
    if (unknown && !unknown[0].endsWith("->")) return { problem: `There is no column “${unknown[1]}”.` };
    const part = /^[^\s,;]+/.exec(text)[0];
    const isIn = ({ values }) => values[SMILES].includes(part);
    if (/^[<>=≥≤≠]/.test(part)) return { problem: `“${part}” needs a column before it.` };
    const column = columns.find(({ name }) => fold(name) === fold(part));
    if (column && !records.some(isIn)) return { problem: `Say what you ask of “${column.name}”: ${column.name} > 1.` };
    return { used: part.length, test: isIn };
  }

  function parse(text) {
    const tests = [];
    let rest = text;
    for (;;) {
      rest = rest.replace(/^(?:[\s,;&]|and\s)+/i, "");
      if (!rest) return { tests };
      const found = condition(rest) || fragment(rest);
      if (found.problem) return found;
      tests.push(found.test);
      rest = rest.slice(found.used);
    }
  }

  function filter() {
    const text = by("filter").value;
    const { tests, problem } = parse(text);
    by("filter").setAttribute("aria-invalid", String(Boolean(problem)));
    by("problem").textContent = problem
      ? `${problem} The columns are ${columns.map(({ name }) => name).join(", ")}.`
      : "";
    if (problem) return; // What is shown stays until the text makes sense.
    state.tests = tests;
    by("applied").textContent = text.trim() ? `Filter: ${text.trim()}` : "";
    show();
  }

  function ordered(list) {
    const { sort, turned } = state;
    const isMissing = (value) => value === "" || Number.isNaN(value);
    return [...list].sort(({ values: { [sort]: a } }, { values: { [sort]: b } }) => {
      if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
      const order = a < b ? -1 : a > b ? 1 : 0;
      return turned ? -order : order;
    });
  }

  function show() {
    shown = ordered(records.filter((record) => state.tests.every((test) => test(record))));
    const isShown = new Set(shown);
    for (const record of records) {
      record.row.hidden = !isShown.has(record);
      if (record.card) record.card.hidden = record.row.hidden;
    }
    body.append(...shown.map(({ row }) => row));
    document.querySelector(".cards").append(...shown.flatMap(({ card }) => card || []));
    heads.forEach((head, at) => {
      if (at === state.sort) head.setAttribute("aria-sort", state.turned ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    by("order").value = String(state.sort);
    by("turn").textContent = state.turned ? "↓" : "↑";
    by("turn").setAttribute("aria-label", state.turned ? "Descending; turn the order" : "Ascending; turn the order");
    by("count").textContent = `${shown.length} of ${records.length} shown`;
    by("copy").disabled = by("save").disabled = !shown.length;
    view();
  }

  function view() {
    const without = shown.filter(({ card }) => !card).length;
    by("cards").hidden = state.view !== "cards" || !shown.length;
    by("table").hidden = state.view !== "table" || !shown.length;
    by("nothing").hidden = shown.length > 0;
    if (by("more")) {
      by("more").hidden = !without;
      by("more").textContent = `Pictures are drawn for the first ${cards.size} molecules only; `
        + `${without} more of those shown ${without === 1 ? "is" : "are"} in the table.`;
    }
    for (const button of by("views").children) {
      button.setAttribute("aria-pressed", String(button.dataset.view === state.view));
    }
  }

  function sortBy(at, turned) {
    state.sort = at;
    state.turned = turned;
    show();
  }

  // Taking the data away.
  let quiet;
  function say(text) {
    by("said").textContent = text;
    clearTimeout(quiet);
    quiet = setTimeout(() => { by("said").textContent = ""; }, 2500);
  }

  async function copy(list) {
    const text = list.map(({ values }) => values[SMILES]).join("\n");
    let isDone = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages from an unencrypted server have no clipboard object.
      const focus = document.activeElement;
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "unseen";
      document.body.append(area);
      area.select();
      isDone = document.execCommand("copy");
      area.remove();
      focus.focus();
    }
    say(!isDone ? "The browser did not allow copying." : list.length === 1 ? "Copied the SMILES." : `Copied ${list.length} SMILES.`);
  }

  function quoted(text) {
    // Spreadsheets run cells that start like a formula; no number or SMILES does.
    const inert = /^[=+@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
  }

  function save() {
    const lines = [columns.map(({ name }) => name), ...shown.map(({ texts }) => texts)];
    const text = lines.map((line) => line.map(quoted).join(",") + "\r\n").join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = `${document.title.replace(/[^\w.-]+/g, "-") || "molecules"}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    say(`Saved ${shown.length} molecules as ${link.download}.`);
  }

  // Wiring.
  heads.forEach((head, at) => head.firstElementChild.addEventListener("click", () => {
    sortBy(at, state.sort === at && !state.turned);
  }));
  columns.forEach(({ label }, at) => by("order").append(new Option(label, String(at))));
  by("order").addEventListener("change", (event) => sortBy(Number(event.target.value), state.turned));
  by("turn").addEventListener("click", () => sortBy(state.sort, !state.turned));
  by("views").addEventListener("click", ({ target }) => {
    if (!target.dataset.view) return;
    state.view = target.dataset.view;
    view();
  });
  let soon;
  by("filter").addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(filter, 120);
  });
  by("clear").addEventListener("click", () => {
    by("filter").value = "";
    filter();
    by("filter").focus();
  });
  by("copy").addEventListener("click", () => copy(shown));
  by("save").addEventListener("click", save);
  by("cards").addEventListener("click", ({ target }) => {
    if ("copy" in target.dataset) copy([records[Number(target.closest(".card").dataset.row)]]);
  });
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  by("views").hidden = !cards.size;
  by("tools").hidden = by("hint").hidden = false;
  show();

  // A printed page cannot be opened up.
  const folds = [...document.querySelectorAll("details")];
  addEventListener("beforeprint", () => folds.forEach((fold) => { fold.dataset.open = fold.open; fold.open = true; }));
  addEventListener("afterprint", () => folds.forEach((fold) => { fold.open = fold.dataset.open === "true"; }));
})();
