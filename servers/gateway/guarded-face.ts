import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpFace } from '../../shared/http/listener.js'
import { HttpRejection } from '../../shared/mcp/http/rejection.js'
import { anonymousError } from '../../shared/mcp/messages.js'
import { checkBearer } from './check-bearer.js'
import type { Grants } from './grants.js'
import type { SessionOwners } from './session-owners.js'

/** Lets only those through to an endpoint that have a grant. */
export class GuardedFace implements HttpFace {
  readonly #face: HttpFace
  readonly #grants: Grants
  readonly #owners: SessionOwners

  constructor(face: HttpFace, grants: Grants, owners: SessionOwners) {
    this.#face = face
    this.#grants = grants
    this.#owners = owners
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    try {
      checkBearer(request.headers, this.#grants, this.#owners)
    } catch (error) {
      if (!(error instanceof HttpRejection)) throw error
      const { status, code, message, headers } = error
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
      response.end(JSON.stringify(anonymousError(code, message)))
      return
    }
    this.#face.handle(request, response)
  }

  forbid(request: IncomingMessage, response: ServerResponse, why: string): void {
    this.#face.forbid(request, response, why)
  }
}
