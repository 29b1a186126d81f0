/** Files that miss their place do nothing; by itself a browser would leave the page and open them. */
export function guardDrops(): void {
  addEventListener("dragover", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = "none";
  });
  addEventListener("drop", (event) => event.preventDefault());
}
