(function () {
  var root = document.documentElement, outer = null;
  try { if (window.parent !== window) outer = window.parent.document.documentElement; } catch (e) { outer = null; }
  if (!outer) return;
  function follow() {
    var name = (outer.getAttribute("data-theme") || outer.className || "") + "";
    root.setAttribute("data-theme", /dark/.test(name) ? "dark" : "light");
  }
  follow();
  new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class", "data-theme"] });
})();
