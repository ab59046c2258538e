import { validateHeaderName, validateHeaderValue } from 'node:http'
import { Refusal } from '../../shared/errors.js'

/**
 * Splits a line `Name: value` into its name and value. The errors do not show the value, because it is
 * usually a secret.
 *
 * @throws Refusal `bad_header`
 */
export function readHeaderLine(line: string): [name: string, value: string] {
  const colon = line.indexOf(':')
  const [name, value] = [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
  const hint = 'write it as "Name: value", e.g. "Authorization: Bearer TOKEN"'
  if (colon < 1 || value === '') {
    const problem = colon < 1 ? 'has no name' : `${JSON.stringify(name)} has no value`
    throw new Refusal('bad_header', `an upstream header ${problem}`, hint)
  }
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  } catch {
    throw new Refusal(
      'bad_header',
      `the upstream header ${JSON.stringify(name.slice(0, 60))} cannot be sent`,
      hint,
    )
  }
  return [name, value]
}

/**
 * Reads the URL of an upstream's MCP endpoint.
 *
 * @throws Refusal `bad_upstream`
 */
export function readUpstreamUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Refusal(
      'bad_upstream',
      `the upstream is ${JSON.stringify(text.slice(0, 200))}`,
      'use the http or https URL of an MCP endpoint, e.g. http://127.0.0.1:4801/mcp',
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new Refusal(
      'bad_upstream',
      `the URL of the upstream ${url.host} has a password in it`,
      'send the password in a header instead: --upstream-header',
    )
  }
  return url
}
