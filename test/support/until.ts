/** Resolves once `holds` does, looked at with each turn of the event loop: for what a socket brings about. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setImmediate(resolve))
}
