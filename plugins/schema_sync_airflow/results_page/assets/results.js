// Comfort on top of plain links and forms, all of which work without this file, except triggering a run.
"use strict";
(() => {
  const LOOK_AGAIN_MS = 10_000;
  const LOOK_AGAIN_AT_MOST_MS = 120_000;
  const TYPING_PAUSE_MS = 250;

  let requests = 0; // an answer that a newer question has overtaken is dropped

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const link = target?.closest("a[href]");
    if (link?.matches("[data-airflow]")) leaveFrame(event, link);
    else if (link?.matches("[data-quick]") && !opensElsewhere(event)) {
      event.preventDefault();
      show(link.href);
    }
    const button = target?.closest("button");
    if (button?.dataset.opens) document.getElementById(button.dataset.opens).showModal();
    if (button?.matches("[data-closes]")) button.closest("dialog").close();
    if (button?.dataset.copy) copy(button);
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.("form[data-search]");
    if (form) typed(form);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-search]")) {
      event.preventDefault();
      search(event.target);
    } else if (event.target.matches("form[data-trigger]")) {
      event.preventDefault();
      trigger(event.target);
    }
  });
  enable();
  lookAgain(LOOK_AGAIN_MS);

  function opensElsewhere(event) {
    return event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  }

  // Airflow's frame is sandboxed: it may neither move the window that it is in nor open another one. Airflow's own
  // document may, and it is of the same origin: a link there is followed in our stead.
  function leaveFrame(event, link) {
    if (window.parent === window) return;
    event.preventDefault();
    const outer = window.parent.document;
    const twin = outer.createElement("a");
    twin.href = link.href;
    if (link.hasAttribute("download")) twin.download = link.download; // the frame may not download either
    if (opensElsewhere(event)) {
      twin.target = "_blank";
      twin.rel = "noopener";
    }
    outer.body.append(twin);
    twin.click();
    twin.remove();
  }

  // Fetch an address of this page and take over the parts that differ; true when it was shown.
  async function show(address, { remember = true, quiet = false } = {}) {
    const request = ++requests;
    let answer, text;
    try {
      answer = await fetch(address, { credentials: "same-origin" });
      text = await answer.text();
    } catch {
      if (!quiet) announce("Airflow did not answer. Try again.");
      return false;
    }
    if (request !== requests) return false;
    if (!answer.ok) {
      if (!quiet) location.assign(address); // shows the reason, or Airflow's login
      return false;
    }
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (remember) history.replaceState(null, "", address);
    if (outline(fresh) !== outline(document)) { // the page has become another one
      location.reload();
      return true;
    }
    const changed = replaceParts(fresh);
    document.title = fresh.title;
    document.body.toggleAttribute("data-in-progress", fresh.body.hasAttribute("data-in-progress"));
    if (!quiet) announce(document.querySelector("[data-count]")?.textContent);
    else if (changed) announce("The results were updated.");
    return true;
  }

  function outline(page) {
    return [...page.querySelectorAll("[data-refresh], form[data-search]")].map((part) => part.id).join();
  }

  function replaceParts(fresh) {
    const focused = document.activeElement?.id;
    const open = [...document.querySelectorAll("details[open] > summary")].map((summary) => summary.id);
    let changed = false;
    for (const part of document.querySelectorAll("[data-refresh]")) {
      const other = fresh.getElementById(part.id);
      if (other !== null && other.innerHTML !== part.innerHTML) {
        part.replaceWith(document.adoptNode(other));
        changed = true;
      }
    }
    const form = document.querySelector("form[data-search]");
    const other = fresh.querySelector("form[data-search]");
    if (form && other) replaceHidden(form, other);
    for (const id of open) document.getElementById(id)?.parentElement.setAttribute("open", "");
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
    enable();
    return changed;
  }

  // The search keeps the state, the order and the run that were chosen meanwhile; what is typed stays.
  function replaceHidden(form, other) {
    for (const field of form.querySelectorAll("input[type=hidden]")) field.remove();
    form.prepend(...[...other.querySelectorAll("input[type=hidden]")].map((field) => document.adoptNode(field)));
    const box = form.querySelector("input[type=search]");
    if (document.activeElement !== box) box.value = other.querySelector("input[type=search]").value;
  }

  let typing;
  function typed(form) {
    clearTimeout(typing);
    typing = setTimeout(() => search(form), TYPING_PAUSE_MS);
  }

  function search(form) {
    clearTimeout(typing);
    show(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
  }

  // While a run goes on: only where somebody looks, never in the middle of a choice, less often the longer it takes.
  function lookAgain(pause) {
    if (!document.body.hasAttribute("data-in-progress")) return;
    setTimeout(async () => {
      const busy = document.hidden || document.querySelector("dialog[open]") || !getSelection().isCollapsed;
      if (!busy) await show(location.href, { remember: false, quiet: true });
      lookAgain(Math.min(pause * 1.2, LOOK_AGAIN_AT_MOST_MS));
    }, pause);
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      announce("Copied.");
      button.textContent = "Copied";
    } catch {
      // The frame has not been given the clipboard, or the connection is plain HTTP: select it for the keyboard.
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      const done = document.execCommand("copy");
      button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      announce(button.textContent);
    }
    setTimeout(() => { button.textContent = "Copy"; }, 4_000);
  }

  async function trigger(form) {
    const problem = form.querySelector("[data-problem]");
    const send = form.querySelector("button[type=submit]");
    const fields = form.elements;
    const conf = {
      organization_ids: fields.organization_ids ? [fields.organization_ids.value] : null,
      dry_run: fields.dry_run.checked,
      min_severity: fields.min_severity.value,
    };
    problem.textContent = "";
    send.disabled = true;
    try {
      const answer = await fetch(form.dataset.trigger, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ logical_date: null, conf }),
      });
      const said = await answer.json();
      if (answer.ok) location.assign(`${form.dataset.then}?${new URLSearchParams({ run: said.dag_run_id })}`);
      else problem.textContent = `Airflow did not trigger the run: ${reason(said, answer.status)}`;
    } catch {
      problem.textContent = "Airflow did not answer; whether the run was triggered is not known. Look at its runs.";
    } finally {
      send.disabled = false;
    }
  }

  function reason(said, status) {
    if (typeof said.detail === "string") return said.detail;
    return said.detail?.reason ?? said.detail?.[0]?.msg ?? `HTTP ${status}`;
  }

  // What needs this file is hidden without it.
  function enable() {
    for (const button of document.querySelectorAll("button[data-opens], button[data-copy]")) button.hidden = false;
  }

  function announce(text) {
    document.getElementById("announcement").textContent = (text ?? "").replace(/\s+/g, " ").trim();
  }
})();
