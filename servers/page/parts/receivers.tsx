import { defined } from '../../../shared/util/defined.js'
import { maskSecrets } from '../../../shared/util/secrets.js'
import { openState, state } from '../live/state.js'
import { bytesInWords, countOfShown, MAX_SHOWN, timeOfDay } from '../model/format.js'
import { Empty, Facts, Scrolled, Section } from './elements.js'
import { Lifetime, type ResourceRow } from './resources.js'
import { Masked, SecretText } from './secret-text.js'

/** Lists Instanode's webhook receivers, with their deliveries. */
export function ReceiverList() {
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
          {receivers.slice(-MAX_SHOWN).map(resource => (
            <ReceiverCard key={resource.id} resource={resource} />
          ))}
        </div>
      )}
    </Section>
  )
}

function ReceiverCard({ resource }: { resource: ResourceRow }) {
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

type Delivery = NonNullable<ResourceRow['deliveries']>['latest'][number]

interface DeliveriesProps {
  /** The name of the receiver. */
  name: string
  latest: readonly Delivery[]
}

/** Lists the deliveries of a receiver, the latest first. */
function Deliveries({ name, latest }: DeliveriesProps) {
  if (latest.length === 0) return <p class="dim">No delivery yet. POST to its URL to send one</p>
  return (
    <ul class="deliveries" aria-label={`Deliveries to ${name}, the latest first`}>
      {latest.slice(0, 10).map(delivery => (
        <DeliveryLine key={delivery.id} delivery={delivery} />
      ))}
    </ul>
  )
}

function DeliveryLine({
  delivery: { method, query, headers, body, bodyBytes, receivedAt },
}: {
  delivery: Delivery
}) {
  return (
    <li>
      <details>
        <summary>
          <span class="mono">{method}</span> <span class="num dim">{timeOfDay(receivedAt)}</span>{' '}
          <span class="dim">{bytesInWords(bodyBytes)}</span>{' '}
          <span class="mono delivery-body">{maskSecrets(body).slice(0, 80)}</span>
        </summary>
        <Facts facts={{ ...defined({ query: query === '' ? undefined : query }), ...headers }} />
        <Scrolled label="body" class="body">
          <pre>
            <SecretText text={body} />
          </pre>
        </Scrolled>
      </details>
    </li>
  )
}
