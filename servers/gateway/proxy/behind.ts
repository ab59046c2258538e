import type { HttpFace } from '../../../shared/http/listener.js'
import type { MessageHost } from '../../../shared/mcp/message-host.js'
import type { Grant } from '../grant.js'

/** An upstream, and the ways to it: for clients over HTTP, and for a client on a pipe. */
export interface Behind {
  readonly face: HttpFace
  readonly ended: Promise<number>
  pipeHost(grant: Grant): MessageHost<Grant>
  /** Answers what is open. */
  letGo(): void
  close(): Promise<void>
}
