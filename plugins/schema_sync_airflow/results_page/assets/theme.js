// Light or dark as Airflow shows itself: its page is around this one, of the same origin, and says so by a class.
// Alone in a window, the browser's own preference holds.
"use strict";
(() => {
  const airflow = window.parent === window ? null : outerRoot();
  if (airflow === null) return;
  const follow = () => {
    const theme = airflow.classList.contains("dark") ? "dark" : airflow.classList.contains("light") ? "light" : "";
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  follow();
  new MutationObserver(follow).observe(airflow, { attributes: true, attributeFilter: ["class"] });

  function outerRoot() {
    try {
      return window.parent.document.documentElement;
    } catch {
      return null; // framed by another origin: the browser does not let us look
    }
  }
})();
