import { defined } from '../../../shared/util/objects.js'
import { maskSecrets } from '../../../shared/util/secrets.js'
import { bytesInWords, counted, timeOfDay } from '../model/format.js'
import { Facts, Scrolled } from './elements.js'
import { type ResourceRow, Resources } from './resources.js'
import { SecretText } from './secret-text.js'

/** Lists Instanode's webhook receivers, with their deliveries. */
export function ReceiverList() {
  return (
    <Resources
      type="webhook"
      id="receivers"
      what="Receiver"
      empty="There are no receivers yet. create_webhook creates one. It stores the requests that are sent to its URL. Try it:"
    >
      {resource => <Deliveries resource={resource} />}
    </Resources>
  )
}

/** Lists the deliveries of a receiver, the newest first. */
function Deliveries({ resource: { name, limits, deliveries } }: { resource: ResourceRow }) {
  const { kept = 0, latest = [] } = deliveries ?? {}
  if (kept === 0) return <p class="dim">No deliveries yet. Send a POST request to this URL.</p>
  return (
    <>
      <p class="dim">
        {counted(kept, 'delivery', 'deliveries')} kept
        {limits.requestsStored !== undefined && `, at most ${limits.requestsStored}`}
      </p>
      <ul class="deliveries" aria-label={`Deliveries to ${name}, the newest first`}>
        {latest.slice(0, 10).map(delivery => (
          <DeliveryLine key={delivery.id} delivery={delivery} />
        ))}
      </ul>
    </>
  )
}

type Delivery = NonNullable<ResourceRow['deliveries']>['latest'][number]

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
