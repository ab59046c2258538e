/** Milliseconds of the monotonic clock that all processes of this machine share. The clock is never set. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
