import type { Clock } from '../../../shared/clock/clock.js'
import type { Conversation } from '../../../shared/mcp/conversation.js'
import type { Log } from '../../../shared/util/log.js'
import type { Grant } from '../grant.js'
import type { CallerHeaders } from '../proxy/caller-headers.js'
import type { HttpUpstream } from '../proxy/http-upstream.js'
import { HttpLink } from './http-link.js'
import type { Link, Upstream } from './link.js'

export interface HttpLinksOptions {
  upstream: HttpUpstream
  headers: CallerHeaders
  machine: Clock
  log: Log
  /** Of the client on the pipe. */
  grant: Grant
}

/** A Streamable HTTP upstream for clients on pipes: each has a session of its own there. */
export class HttpLinks implements Upstream {
  readonly #options: HttpLinksOptions

  constructor(options: HttpLinksOptions) {
    this.#options = options
  }

  open(conversation: Conversation): Link {
    const { upstream, headers, grant, machine, log } = this.#options
    const fixed = headers.for({ accept: 'application/json, text/event-stream' }, grant, undefined)
    const query = headers.query('', upstream.query)
    return new HttpLink({ upstream, headers: fixed, query, machine, log, conversation })
  }

  async close(): Promise<void> {}
}
