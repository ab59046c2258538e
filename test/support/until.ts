/** Resolves once `holds` does, looked at with each turn of the event loop: for what a socket brings about. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  // A turn each time, or calls in memory would keep the test's own time-out from ever coming.
  while (!(await holds())) await new Promise(resolve => setImmediate(resolve))
}
