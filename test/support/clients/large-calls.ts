import { request } from 'node:http'
import { residentMb } from '../../bench/resident.js'

/** The body of a call with arguments of 4 MB, which take some 58 MB once they are parsed: a list for every three bytes. */
function largeCall(): string {
  const lists = '[],'.repeat(Math.floor((4 * 1024 * 1024 - 200) / 3))
  const params = `{"name":"create_room","arguments":{"x":[${lists}[]]}}`
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`
}

/**
 * Makes calls with arguments of 4 MB, one after the other.
 *
 * @param mcp URL of the endpoint
 * @param pid of the process that serves it
 * @param told called after each call with the current resident memory in MB of 1,000,000 bytes
 * @returns the largest resident memory, in the same unit
 */
export async function makeLargeCalls(
  mcp: string,
  pid: number | undefined,
  count: number,
  told: (call: number, mb: number) => void = () => undefined,
): Promise<number> {
  const body = largeCall()
  let most = 0
  for (let call = 1; call <= count; call++) {
    const status = await post(mcp, body)
    if (status !== 200) throw new Error(`call ${call} was answered with ${status}`)
    const mb = residentMb(pid)
    told(call, mb)
    most = Math.max(most, mb)
  }
  return most
}

function post(url: string, body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'Content-Length': Buffer.byteLength(body),
    }
    const sent = request(url, { method: 'POST', headers }, response => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
