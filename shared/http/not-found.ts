import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpFace } from './listener.js'

/** Answers for a listener that has nothing beside its MCP endpoint. */
export const notFound: HttpFace = {
  handle(request, response) {
    answer(
      response,
      404,
      'not_found',
      `${request.method} ${pathOf(request)} is not served here: MCP is at /mcp`,
    )
  },
  forbid(_request, response, why) {
    answer(response, 403, 'forbidden', why)
  },
}

function answer(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify({ error: { code, message } }))
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.replace(/\?.*$/s, '')
}
