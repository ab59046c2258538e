/** `pending` until decided; an approval that let its call through is `used`, one that nobody waits for any more `withdrawn`. */
export type ApprovalState = 'pending' | 'approved' | 'refused' | 'used' | 'withdrawn'

/** A call that somebody has to approve. This project's own: no wire format for approvals is published. */
export interface Approval {
  readonly id: string
  readonly state: ApprovalState
  /** When it was asked for, and until when it may be decided and used; ISO 8601, by the gateway's clock. */
  readonly at: string
  readonly expiresAt: string
  readonly grant: string
  readonly tool: string
  readonly argumentKeys: readonly string[]
  readonly argsHash: string | null
  readonly rule: string
  readonly message: string
}

export type ApprovalDecision = 'approve' | 'refuse'
