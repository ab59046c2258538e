import type { IncomingMessage } from 'node:http'
import { Refusal } from '../errors.js'

/**
 * Reads the whole body of a request.
 *
 * @param limit maximum size of the body in bytes
 * @throws Refusal `body_too_large` for a larger body, `body_aborted` if the caller disconnected
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) {
        request.removeAllListeners('data')
        reject(
          new Refusal('body_too_large', `the body is larger than ${limit} bytes`, 'send less in one request'),
        )
        return
      }
      chunks.push(chunk)
    })
    request.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
    request.on('aborted', () =>
      reject(new Refusal('body_aborted', 'the caller hung up before the body was complete')),
    )
    request.on('error', reject)
  })
}
