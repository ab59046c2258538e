import type { InstanodeView } from '../../instanode/view.js'
import { openState, state } from '../live/state.js'
import { bytesInWords, countOfShown, MAX_SHOWN } from '../model/format.js'
import { Countdown } from './countdown.js'
import { Empty, Section } from './elements.js'
import { Masked } from './secret-text.js'

export type ResourceRow = InstanodeView['resources'][number]

/** Lists Instanode's databases, with the used share of their limits and their remaining time. */
export function Resources() {
  const instanode = state.value?.instanode
  if (instanode === undefined) return null
  const databases = instanode.resources.filter(({ type }) => type === 'postgres')
  return (
    <Section id="resources" title="Databases" note={countOfShown(databases.length, 'database')}>
      {databases.length === 0 ? (
        <Empty
          command={`curl -s ${instanode.mcpUrl} -H 'Content-Type: application/json' \\\n  -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_postgres","arguments":{"name":"demo"}}}'`}
        >
          There is no database. An agent makes one with create_postgres; unclaimed, it is gone 24 hours later.
        </Empty>
      ) : (
        <div class="cards">
          {databases.slice(-MAX_SHOWN).map(resource => (
            <DatabaseCard key={resource.id} resource={resource} />
          ))}
        </div>
      )}
    </Section>
  )
}

function DatabaseCard({ resource }: { resource: ResourceRow }) {
  const { id, name, tier, status, owner, url, limits, database } = resource
  const open = openState.value?.instanode?.resources.find(other => other.id === id)
  return (
    <article class="card" aria-label={`Database ${name}`}>
      <header class="card-head">
        <h3>{name || 'unnamed'}</h3>
        <Lifetime resource={resource} />
      </header>
      <p class="dim">
        {tier}, {owner === null ? 'claimed by nobody' : `of ${owner}`}
        {status !== 'active' && `, ${status.replace('_', ' ')}`}
      </p>
      {database === null ? (
        <p class="dim">nothing can be learnt of it now</p>
      ) : (
        <div class="meters">
          <Meter
            what="storage"
            value={database.usedBytes}
            max={(limits.storageMb ?? 0) * 1024 * 1024}
            bytes
          />
          <Meter what="connections" value={database.connections} max={limits.connections ?? 0} />
        </div>
      )}
      <Masked name={`resource ${id}`} what={`URL of ${name}`} masked={url} open={open?.url} />
    </article>
  )
}

/** Shows the remaining time of a resource. */
export function Lifetime({ resource: { createdAt, expiresAt } }: { resource: ResourceRow }) {
  if (expiresAt === null) return <span class="dim">stays</span>
  return <Countdown from={createdAt} to={expiresAt} what="left" />
}

interface MeterProps {
  what: string
  value: number
  /** The limit. 0 means that there is no limit. */
  max: number
  bytes?: boolean
}

/** Shows the used share of a limit. */
function Meter({ what, value, max: most, bytes = false }: MeterProps) {
  const words = (number: number) => (bytes ? bytesInWords(number) : `${number}`)
  const share = most === 0 ? 0 : Math.min(1, value / most)
  return (
    <div class="meter">
      <span class="dim">{what}</span>
      <span class="num">
        {words(value)} of {most === 0 ? 'any' : words(most)}
      </span>
      <svg class={`meter-bar${share > 0.9 ? ' meter-full' : ''}`} width="100%" height="4" aria-hidden="true">
        <rect class="meter-track" width="100%" height="4" rx="2" />
        <rect class="meter-value" width={`${share * 100}%`} height="4" rx="2" />
      </svg>
    </div>
  )
}
