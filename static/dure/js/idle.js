// Warns before the organization's idle time is over. The server keeps the time: another tab that
// was used counts, and this page asks before it warns.
(() => {
  "use strict";
  const start = () => {
    const dialog = document.getElementById("idle");
    if (!dialog) return;
    const { url } = dialog.dataset;
    const warning = Number(dialog.dataset.warning);
    const left = dialog.querySelector("[data-left]");
    let ends = Date.now() + Number(dialog.dataset.seconds) * 1000;

    const ask = async (method) => {
      const token = JSON.parse(document.body.getAttribute("data-hx-headers:inherited"));
      // As htmx asks: a question of the page itself does not count as use.
      const headers = method === "POST" ? token : { "HX-Request": "true" };
      const answer = await fetch(url, { method, headers, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return 0;
      return (await answer.json()).seconds;
    };
    const again = (seconds) => {
      if (seconds === null) return;
      ends = Date.now() + seconds * 1000;
      tick(false);
    };
    let timer = 0;
    const tick = async (mayAsk = true) => {
      clearTimeout(timer);
      const seconds = Math.round((ends - Date.now()) / 1000);
      if (seconds > warning) {
        if (dialog.open) dialog.close();
        timer = setTimeout(tick, Math.min((seconds - warning) * 1000, 60000));
        return;
      }
      if (mayAsk && (!dialog.open || seconds % 10 === 0 || seconds <= 0)) {
        try { again(await ask("GET")); return; } catch { /* the line is down: count on */ }
      }
      if (seconds <= 0) { location.reload(); return; }
      if (!dialog.open) dialog.showModal();
      left.textContent = String(seconds);
      timer = setTimeout(tick, 1000);
    };
    dialog.querySelector("[data-extend]").addEventListener("click", async () => {
      try { again(await ask("POST")); } catch { location.reload(); }
    });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
    tick();
  };
  document.addEventListener("DOMContentLoaded", start);
})();
