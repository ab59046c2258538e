import { z } from 'zod'
import type { InstanodeView } from '../../shared/control/client/index.js'
import { present } from './show/as-narrated.js'
import type { Stage } from './stage.js'

/** What `create_postgres` returns, as far as the scenes need it. */
export const madeDatabase = z.object({
  token: z.string(),
  connection_url: z.string(),
  tier: z.string(),
  limits: z.object({ storage_mb: z.int(), connections: z.int(), expires_in: z.string() }),
})

/** What `create_webhook` returns, likewise. */
export const madeReceiver = z.object({ token: z.string(), receive_url: z.string() })

export type Database = z.infer<typeof madeDatabase>
export type Receiver = z.infer<typeof madeReceiver>

/** A resource as the control plane shows it. @throws NotAsNarrated if there is none of that name */
export async function resource(
  { control }: Stage,
  name: string,
): Promise<InstanodeView['resources'][number]> {
  return present(
    `the resource ${name}`,
    (await resources(control)).find(known => known.name === name),
  )
}

/** Those there are. */
export async function resources(control: Stage['control']): Promise<InstanodeView['resources']> {
  const { instanode } = await control.state()
  return present('Instanode', instanode).resources
}
