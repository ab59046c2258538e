import type { ComponentChildren } from 'preact'
import type { InstanodeView } from '../../instanode/view.js'
import { state, stateWithSecrets } from '../live/state.js'
import { bytesInWords, countOfShown, MAX_SHOWN, toolCommand } from '../model/format.js'
import { Countdown } from './countdown.js'
import { Empty, Section } from './elements.js'
import { Masked } from './secret-text.js'

export type ResourceRow = InstanodeView['resources'][number]

/** Lists Instanode's databases. Shows the used share of their limits, and their remaining time. */
export function Databases() {
  return (
    <Resources
      type="postgres"
      id="resources"
      what="Database"
      empty="There are no databases yet. create_postgres creates one. Unless it is claimed, it is deleted after 24 hours. Try it:"
    >
      {({ database, limits }) =>
        database === null ? (
          <p class="dim">Storage and connections cannot be read now.</p>
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
        )
      }
    </Resources>
  )
}

interface ResourcesProps {
  type: ResourceRow['type']
  /** Name of the anchor. */
  id: string
  /** The word for one resource. */
  what: string
  /** The text that is shown if there are no resources of this type. */
  empty: string
  /** Renders the part of a card that only this type has. */
  children(resource: ResourceRow): ComponentChildren
}

/** Lists Instanode's resources of one type. */
export function Resources({ type, id, what, empty, children }: ResourcesProps) {
  const instanode = state.value?.instanode
  if (instanode === undefined) return null
  const resources = instanode.resources.filter(resource => resource.type === type)
  return (
    <Section id={id} title={`${what}s`} note={countOfShown(resources.length, what.toLowerCase())}>
      {resources.length === 0 ? (
        <Empty command={toolCommand(instanode.mcpUrl, `create_${type}`, { name: 'demo' })}>{empty}</Empty>
      ) : (
        <div class="cards">
          {resources.slice(-MAX_SHOWN).map(resource => (
            <ResourceCard key={resource.id} what={what} resource={resource}>
              {children(resource)}
            </ResourceCard>
          ))}
        </div>
      )}
    </Section>
  )
}

interface ResourceCardProps {
  /** The word for one resource. */
  what: string
  resource: ResourceRow
  children: ComponentChildren
}

function ResourceCard({ what, resource, children }: ResourceCardProps) {
  const { id, name, tier, owner, status, url, createdAt, expiresAt } = resource
  const open = stateWithSecrets.value?.instanode?.resources.find(other => other.id === id)
  return (
    <article class="card" aria-label={`${what} ${name}`}>
      <header class="card-head">
        <h3>{name || 'unnamed'}</h3>
        {expiresAt === null ? (
          <span class="dim">does not expire</span>
        ) : (
          <Countdown from={createdAt} to={expiresAt} what="left" />
        )}
      </header>
      <p class="dim">
        {tier}, {owner === null ? 'unclaimed' : `owned by ${owner}`}
        {status !== 'active' && `, ${status.replace('_', ' ')}`}
      </p>
      <Masked name={`resource ${id}`} what={`URL of ${name}`} masked={url} open={open?.url} />
      {children}
    </article>
  )
}

interface MeterProps {
  what: string
  value: number
  /** The limit. 0 means that there is no limit. */
  max: number
  bytes?: boolean
}

/** Shows the used share of a limit. */
function Meter({ what, value, max, bytes = false }: MeterProps) {
  const words = (number: number) => (bytes ? bytesInWords(number) : `${number}`)
  const share = max === 0 ? 0 : Math.min(1, value / max)
  return (
    <div class="meter">
      <span class="dim">{what}</span>
      <span class="num">
        {words(value)} {max === 0 ? '(no limit)' : `of ${words(max)}`}
      </span>
      <svg class={`meter-bar${share > 0.9 ? ' meter-full' : ''}`} width="100%" height="4" aria-hidden="true">
        <rect class="meter-track" width="100%" height="4" rx="2" />
        <rect class="meter-value" width={`${share * 100}%`} height="4" rx="2" />
      </svg>
    </div>
  )
}
