import { useEffect, useState } from 'preact/hooks'
import { Scrolled, Section } from './elements.js'

/** All that the control plane takes: what is done here can be done with curl. */
export function Routes() {
  const [routes, setRoutes] = useState<string[][]>([])
  useEffect(() => {
    fetch('/', { headers: { Accept: 'text/plain' } })
      .then(response => response.text())
      .then(
        text => setRoutes([...text.matchAll(/^([A-Z]+) +(\/\S*) +(.+)$/gm)].map(match => match.slice(1))),
        // Without it, all else is there.
        () => undefined,
      )
  }, [])
  return (
    <Section id="routes" title="Control plane" note={<a href="/openapi.json">openapi.json</a>}>
      <details>
        <summary>{routes.length} routes: whatever is done on this page can be done with curl</summary>
        <Scrolled label="Routes of the control plane">
          <table>
            <tbody>
              {routes.map(([method = '', path = '', summary = '']) => (
                <tr key={`${method} ${path}`}>
                  <td class="mono dim">{method}</td>
                  <td class="mono">
                    {method === 'GET' && !path.includes(':') ? <a href={path}>{path}</a> : path}
                  </td>
                  <td>{summary}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolled>
      </details>
    </Section>
  )
}
