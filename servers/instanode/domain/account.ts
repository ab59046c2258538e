export type Plan = 'free' | 'paid'

/** Whoever has signed up with the service. */
export interface Account {
  /** How this project calls it, e.g. `acct_paid`. */
  readonly id: string
  /** UUID: how the service calls it, inside its tokens. */
  readonly userId: string
  readonly plan: Plan
  /** A bearer that always works, for tests to write down; null if the account has none. */
  readonly fixedToken: string | null
}
