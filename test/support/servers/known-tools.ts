import type { ToolListing } from '../../../shared/util/known-tools.js'
import { KnownTools } from '../../../shared/util/known-tools.js'

/** Two servers that are nothing but their tools; `announced` has a line for each time a server said that its list has changed. */
export function knownTools(announced: string[] = []): KnownTools {
  const known = new KnownTools()
  for (const [server, tools] of [
    ['safebot', ['room_status', 'ack_task', 'claim_task']],
    ['instanode', ['delete_resource']],
  ] as const) {
    known.add(server, { tools: tools.map(listing), announce: () => void announced.push(server) })
  }
  return known
}

function listing(name: string): ToolListing {
  return {
    name,
    title: `Title of ${name}`,
    description: `What ${name} does`,
    inputSchema: {
      type: 'object',
      properties: { url: { type: 'string' } },
      required: ['url'],
      additionalProperties: false,
    },
    annotations: {
      title: `Title of ${name}`,
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: true,
    },
  }
}
