import { maskSecrets } from '../../../shared/util/secrets.js'
import { bytesInWords, timeOfDay } from '../model/words.js'
import { Facts } from './facts.js'
import type { Resource } from './resources.js'
import { Scrolled } from './scrolled.js'
import { SecretText } from './secret-text.js'

type Delivery = NonNullable<Resource['deliveries']>['latest'][number]

interface DeliveriesProps {
  /** The receiver's. */
  name: string
  latest: readonly Delivery[]
}

/** What a receiver has taken, the latest first. */
export function Deliveries({ name, latest }: DeliveriesProps) {
  if (latest.length === 0) return <p class="dim">nothing has come yet: whoever has its URL can post to it</p>
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
        <Facts facts={{ ...(query !== '' && { query }), ...headers }} />
        <Scrolled label="body" class="body">
          <pre>
            <SecretText text={body} />
          </pre>
        </Scrolled>
      </details>
    </li>
  )
}
