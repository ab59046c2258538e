import { inDatabase, whyClosed } from '../cast/database.js'
import { type Database, resources } from '../resources.js'
import { present, same } from '../show/as-narrated.js'
import type { Narrator } from '../show/narrator.js'
import type { Stage } from '../stage.js'

const DAY_MS = 24 * 60 * 60 * 1000

/** What nobody has claimed ends. */
export async function expire(
  { control, understudy: { clock } }: Stage,
  tell: Narrator,
  { orders, scratch }: { orders: Database; scratch: Database },
): Promise<void> {
  tell.about('Nobody has claimed "scratch"; "orders" belongs to the account.')
  same('why "scratch" is closed', await whyClosed(scratch.connection_url), undefined)
  same('what there is', await names(), ['orders', 'scratch'])
  await clock.advance(DAY_MS)
  await tell.step({ who: 'clock', does: '+24 h: what nobody owns is dropped, its login with it' })
  const why = present('a reason', await whyClosed(scratch.connection_url))
  await tell.step({
    who: 'ana',
    does: 'connects to "scratch" with pg',
    saw: `refused: ${why}`,
    refused: true,
  })
  const rows = await inDatabase(orders.connection_url, async client => {
    return (await client.query<{ what: string }>('SELECT what FROM item')).rows
  })
  same('what is in "orders"', rows, [{ what: 'one espresso' }])
  same('what there is', await names(), ['orders'])
  await tell.step({
    who: 'ana',
    does: 'connects to "orders"',
    saw: 'the row: "one espresso"',
  })

  async function names(): Promise<string[]> {
    return (await resources(control)).map(({ name }) => name)
  }
}
