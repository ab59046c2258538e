import { z } from 'zod'
import { oneKind, strict } from '../util/check.js'

const name = z.string().min(1)
const hints = {
  title: z.string().exactOptional(),
  readOnlyHint: z.boolean().exactOptional(),
  destructiveHint: z.boolean().exactOptional(),
  idempotentHint: z.boolean().exactOptional(),
  openWorldHint: z.boolean().exactOptional(),
}
const properties = z.record(z.string(), z.record(z.string(), z.unknown()))

/** The change that an overlay makes. An overlay runs no code. An added tool only answers with a text. */
const change = oneKind('overlay', {
  rename: strict({ rename: name }),
  describe: strict({ describe: z.string(), title: z.string().exactOptional() }),
  annotate: strict({ annotate: strict(hints) }),
  widen: strict({
    widen: properties.describe(
      'properties for the input schema; the tool itself never sees those it does not know',
    ),
    required: z.array(z.string()).exactOptional(),
  }),
  hide: strict({ hide: z.literal(true) }),
  add: strict({
    add: strict({
      name,
      title: z.string().exactOptional(),
      description: z.string(),
      inputSchema: z.looseObject({ type: z.literal('object') }).exactOptional(),
      annotations: strict(hints).exactOptional(),
      answer: z.string().describe('the text that every call of it is answered with'),
    }),
  }),
  page: strict({
    page: z.union([z.int().min(1), z.array(z.int().min(0)).min(1)], {
      error: 'is the size of every page, or a list of the sizes of the first ones, 0 for an empty one',
    }),
  }),
  ttlMs: strict({
    ttlMs: z.int().min(0).describe('for how long a modern client may keep the list, in milliseconds'),
  }),
  cacheScope: strict({
    cacheScope: z
      .enum(['public', 'private'])
      .describe('the scope in which a modern client may cache the list'),
  }),
})

/** A change to the answers of `tools/list`. */
export const overlaySchema = strict({
  server: z.string(),
  tool: z.string().exactOptional().describe('its genuine name; not for add, page, ttlMs and cacheScope'),
  callers: z
    .array(z.string())
    .min(1)
    .exactOptional()
    .describe('the callers that see it, by their names in the journal; all callers if not given'),
  after: z.int().min(0).exactOptional().describe('number of genuine lists before it; 0 if not given'),
  notify: z
    .boolean()
    .exactOptional()
    .describe('whether open sessions are told when it takes effect, and when it goes'),
  do: change,
})

export type Overlay = z.infer<typeof overlaySchema>
export type Change = Overlay['do']
