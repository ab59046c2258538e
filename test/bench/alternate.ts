import { median } from './statistics.js'

export interface Compared {
  ours: number
  peer: number
}

/**
 * Measures two things in turn, A B A B, so that what else the machine does meets both; returns the medians.
 *
 * @param rounds how often each is measured
 */
export async function alternate(
  rounds: number,
  ours: () => Promise<number>,
  peer: () => Promise<number>,
): Promise<Compared> {
  const measured = { ours: [] as number[], peer: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    measured.ours.push(await ours())
    measured.peer.push(await peer())
  }
  return { ours: median(measured.ours), peer: median(measured.peer) }
}
