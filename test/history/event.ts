/** When something was asked for, and when it was answered: milliseconds of the machine's monotonic clock, which its processes share. */
export interface Span {
  readonly begun: number
  readonly ended: number
}

/** The handle that a cursor belongs to, and its room. */
export interface Cursor {
  readonly room: string
  readonly handle: string
}

/** A message that the service has said it keeps. */
export interface Sent extends Span {
  readonly kind: 'sent'
  readonly room: string
  readonly seq: number
  readonly text: string
}

/** A message that may or may not have been kept: the answer never came. */
export interface SendUnanswered {
  readonly kind: 'send unanswered'
  readonly room: string
  readonly text: string
}

/** A message was delivered. */
export interface Claimed extends Span, Cursor {
  readonly kind: 'claimed'
  readonly claimId: string
  readonly seq: number
  readonly text: string
}

/** A claim was asked for, and no answer came: it may have been granted. */
export interface ClaimUnanswered extends Cursor {
  readonly kind: 'claim unanswered'
  readonly begun: number
}

/** An acknowledgement that was accepted. */
export interface Acked extends Span, Cursor {
  readonly kind: 'acked'
  readonly claimId: string
  readonly seq: number
  /** False: it had been acknowledged before. */
  readonly advanced: boolean
}

/** An acknowledgement that was refused as stale. */
export interface AckRefused extends Span, Cursor {
  readonly kind: 'ack refused'
  readonly claimId: string
  readonly seq: number
}

/** An acknowledgement without an answer: it may have been accepted. */
export interface AckUnanswered extends Cursor {
  readonly kind: 'ack unanswered'
  readonly begun: number
  readonly claimId: string
  readonly seq: number
}

/** The service's clock was moved ahead of the machine's by so many milliseconds more. */
export interface Advanced extends Span {
  readonly kind: 'advanced'
  readonly byMs: number
}

/** The run disturbed the service or a worker. */
export interface Trouble {
  readonly kind: 'trouble'
  readonly what: 'worker killed' | 'replica killed' | 'connections cut' | 'PostgreSQL restarted'
  readonly at: number
}

/** One event that a process of the run observed. */
export type HistoryEvent =
  | Sent
  | SendUnanswered
  | Claimed
  | ClaimUnanswered
  | Acked
  | AckRefused
  | AckUnanswered
  | Advanced
  | Trouble
