import { Refusal } from '../../../shared/errors.js'

/**
 * The URL of an upstream's MCP endpoint.
 *
 * @throws Refusal `bad_upstream`
 */
export function readUpstreamUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Refusal(
      'bad_upstream',
      `the upstream is ${JSON.stringify(text.slice(0, 200))}`,
      'it is the http or https URL of an MCP endpoint: http://127.0.0.1:4801/mcp, say',
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new Refusal(
      'bad_upstream',
      `the URL of the upstream ${url.host} has a password in it`,
      'give it as a header instead, with --upstream-header',
    )
  }
  return url
}
