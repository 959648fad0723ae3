/* Added to the report that Snakemake writes: names for screen readers, and an address for what is shown.

#<name of a file>, then &<key>=<value> for what a page of its own says that it shows (explorer.js). */
(() => {
  "use strict";
  const fileName = path => path.split("/").pop();
  const text = html => new DOMParser().parseFromString(html, "text/html").body.textContent.trim();
  const pathOfAddress = () => Object.keys(results).find(path => fileName(path) === location.hash.slice(1).split("&")[0]);
  const state = () => location.hash.split("&").slice(1).join("&");
  let address = "";  // of what is shown

  function setAddress(hash) {
    address = hash;
    history.replaceState(null, "", hash);
  }

  function nameWhatIsShown() {
    for (const shown of document.querySelectorAll("#app div.grow img, #app div.grow iframe")) {
      const [path, result] = Object.entries(results).find(([, { data_uri }]) => data_uri === shown.getAttribute("src")) ?? [];
      if (!result || shown.dataset.file === path) continue;
      shown.dataset.file = path;  // React puts another source into the same element
      const title = Object.values(result.labels ?? {})[0];
      if (shown.tagName === "IFRAME") {
        shown.title = title;
        shown.focus();  // for its keys
      }
      else shown.alt = `${title}. ${text(result.caption ?? "")}`;
      if (pathOfAddress() !== path) setAddress(`#${fileName(path)}`);
      if (innerWidth < 768) shown.scrollIntoView();
    }
    for (const link of document.querySelectorAll("#app nav td a:not([aria-label])")) {
      const row = link.closest("tr");
      const kind = row.querySelector("a") === link ? "Show" : "Describe";
      link.setAttribute("aria-label", `${kind}: ${row.cells[0].textContent}`);
    }
    for (const logo of document.querySelectorAll("#app nav img:not([alt])")) logo.alt = "";
  }

  function showAddress() {
    const path = pathOfAddress();
    if (!path) return;
    const content = path.endsWith(".html") ? "html" : "img";
    app.setView({ content, contentPath: results[path].data_uri, resultPath: path });
  }

  addEventListener("message", ({ data }) => {
    const frame = document.querySelector("#app iframe");
    if (!frame || typeof data?.state !== "string") return;
    if (data.state) setAddress(`${(address || location.hash).split("&")[0]}&${data.state}`);
    else frame.contentWindow.postMessage({ state: state() }, "*");
  });
  addEventListener("hashchange", () => {
    if (location.hash) showAddress();
    else if (address) setAddress(address);  // a click on one of Snakemake's links, which lead to #
  });
  new MutationObserver(nameWhatIsShown).observe(document.querySelector("#app"), { childList: true, subtree: true, attributes: true, attributeFilter: ["src"] });
  setTimeout(showAddress);
})();
