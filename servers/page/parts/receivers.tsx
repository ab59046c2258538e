import { openState, state } from '../live/state.js'
import { countOfShown, MOST_SHOWN } from '../model/shown.js'
import { Deliveries } from './deliveries.js'
import { Section } from './elements.js'
import { Empty } from './empty.js'
import { Lifetime } from './lifetime.js'
import { Masked } from './masked.js'
import type { Resource } from './resources.js'

/** Instanode's webhook receivers, and what they have taken. */
export function Receivers() {
  const instanode = state.value?.instanode
  if (instanode === undefined) return null
  const receivers = instanode.resources.filter(({ type }) => type === 'webhook')
  return (
    <Section id="receivers" title="Receivers" note={countOfShown(receivers.length, 'receiver')}>
      {receivers.length === 0 ? (
        <Empty
          command={`curl -s ${instanode.mcpUrl} -H 'Content-Type: application/json' \\\n  -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_webhook","arguments":{"name":"demo"}}}'`}
        >
          There is no receiver. An agent makes one with create_webhook, and anybody may post to it.
        </Empty>
      ) : (
        <div class="cards">
          {receivers.slice(-MOST_SHOWN).map(resource => (
            <ReceiverCard key={resource.id} resource={resource} />
          ))}
        </div>
      )}
    </Section>
  )
}

function ReceiverCard({ resource }: { resource: Resource }) {
  const { id, name, tier, owner, url, limits, deliveries } = resource
  const open = openState.value?.instanode?.resources.find(other => other.id === id)
  return (
    <article class="card" aria-label={`Receiver ${name}`}>
      <header class="card-head">
        <h3>{name || 'unnamed'}</h3>
        <Lifetime resource={resource} />
      </header>
      <p class="dim">
        {tier}, {owner === null ? 'claimed by nobody' : `of ${owner}`}, keeps {deliveries?.kept ?? 0} of{' '}
        {limits.requestsStored ?? 'any'} deliveries
      </p>
      <Masked name={`resource ${id}`} what={`URL of ${name}`} masked={url} open={open?.url} />
      <Deliveries name={name} latest={deliveries?.latest ?? []} />
    </article>
  )
}
