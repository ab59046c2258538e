import { SecretText } from './secret-text.js'

/** Names and what they stand for; what is null is left out. */
export function Facts({ facts }: { facts: Readonly<Record<string, string | null>> }) {
  return (
    <dl class="facts">
      {Object.entries(facts).map(([name, value]) =>
        value === null ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="mono">
              <SecretText text={value} />
            </dd>
          </div>
        ),
      )}
    </dl>
  )
}
