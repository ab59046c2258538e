/** How many databases are asleep when memory is looked at. */
export const FEW = 10
export const MANY = 30

/** Output of the host of sleeping databases. */
export interface Slept {
  /** Resident with `FEW` asleep. */
  fewMb: number
  /** Resident with `MANY` asleep. */
  manyMb: number
  /** From connecting to a sleeping database to its first answer, median. */
  wakeMs: number
}
