// Keeps a page up to date: each message holds the parts that have changed.
export function stream(address, show) {
  const note = document.getElementById("lost");
  const source = new EventSource(address);
  source.onopen = () => { note.textContent = ""; };
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.onerror = () => {
    // Closed for good: it answered, but not to this browser any more.
    note.textContent = source.readyState === EventSource.CLOSED
      ? "The studio does not know this page any more. Open the address that its terminal shows."
      : "The studio does not answer. Runs go on without it; this page tries again.";
  };
  window.addEventListener("pagehide", () => source.close());
}

// Markup comes from the studio, which escapes every foreign text.
export function fill(element, markup) {
  element.innerHTML = markup;
}
