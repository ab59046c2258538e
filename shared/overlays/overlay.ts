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
      'properties to add to the input schema; their arguments never reach the genuine tool',
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
      answer: z.string().describe('the text that answers every call of the tool'),
    }),
  }),
  page: strict({
    page: z.union([z.int().min(1), z.array(z.int().min(0)).min(1)], {
      error: 'must be the size of every page, or a list of the sizes of the first pages',
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
  tool: z
    .string()
    .exactOptional()
    .describe('the genuine name of the tool; left out for add, page, ttlMs and cacheScope'),
  callers: z
    .array(z.string())
    .min(1)
    .exactOptional()
    .describe('the callers that see the change, by their names in the journal; all callers if not given'),
  after: z
    .int()
    .min(0)
    .exactOptional()
    .describe('number of tool lists that are shown without the change first; 0 if not given'),
  notify: z
    .boolean()
    .exactOptional()
    .describe('true: open sessions are notified when the overlay takes effect and when it is removed'),
  do: change,
})

export type Overlay = z.infer<typeof overlaySchema>
export type Change = Overlay['do']
