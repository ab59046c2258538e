/** A bound that a caller has named, as a whole number that a bigint can hold: what lies on which side of it stays the same. */
export function whole(bound: number): number {
  if (Number.isNaN(bound)) return -1
  return Math.floor(Math.min(Math.max(bound, -1), Number.MAX_SAFE_INTEGER))
}
