import type { ListPage, Message } from '../proxy/hooks.js'
import type { GatewayMutant } from './mutant.js'

const PAGES = 'policylayer/safebot-strict.json'

function visible({ tools, hides }: ListPage): Message[] {
  return tools.filter(({ name }) => !hides(String(name)))
}

/** A mutant whose lists are changed after the hidden tools are gone. */
function changedTools(name: string, does: string, change: (tool: Message) => Message): GatewayMutant {
  return { name, does, hooks: () => ({ list: page => visible(page).map(change) }) }
}

/** A mutant that keeps a notification from its receiver. */
function swallows(name: string, does: string, method: string): GatewayMutant {
  return {
    name,
    does,
    hooks: () => ({
      forward: async (message, next) => (message.method === method ? undefined : next(message)),
      emit(message, next) {
        if (message.method !== method) next(message)
      },
    }),
  }
}

/** Lists and notifications do not pass as they are. */
export const PASSING: readonly GatewayMutant[] = [
  {
    name: 'lists-hidden-tools',
    does: 'shows hidden tools in lists',
    hooks: () => ({ list: ({ tools }) => tools }),
  },
  {
    name: 'filters-first-page',
    does: 'leaves hidden tools out of page one of a list only',
    policy: PAGES,
    hooks: () => ({ list: page => (page.cursor === undefined ? visible(page) : page.tools) }),
  },
  {
    name: 'filters-first-list',
    does: 'leaves hidden tools out of the first list only',
    hooks: () => {
      let lists = 0
      return { list: page => (lists++ === 0 ? visible(page) : page.tools) }
    },
  },
  {
    name: 'drops-a-tool',
    does: 'leaves the last tool out of every list',
    hooks: () => ({ list: page => visible(page).slice(0, -1) }),
  },
  {
    name: 'adds-a-tool',
    does: 'adds a tool of its own to every list',
    hooks: () => ({
      list: page => [...visible(page), { name: 'gateway_status', inputSchema: { type: 'object' } }],
    }),
  },
  {
    name: 'lists-twice',
    does: 'shows every tool twice',
    hooks: () => ({ list: page => visible(page).flatMap(tool => [tool, tool]) }),
  },
  changedTools(
    'strips-descriptions',
    'leaves descriptions out of lists',
    ({ description: _, ...tool }) => tool,
  ),
  changedTools('changes-descriptions', 'adds a sentence to descriptions', tool => ({
    ...tool,
    description: `${tool.description} This call is checked.`,
  })),
  changedTools('strips-titles', 'leaves titles out of lists', ({ title: _, ...tool }) => tool),
  changedTools('strips-input-schemas', 'replaces input schemas by an empty one', tool => ({
    ...tool,
    inputSchema: { type: 'object' },
  })),
  changedTools(
    'strips-output-schemas',
    'leaves output schemas out of lists',
    ({ outputSchema: _, ...tool }) => tool,
  ),
  changedTools(
    'strips-annotations',
    'leaves annotations out of lists',
    ({ annotations: _, ...tool }) => tool,
  ),
  changedTools('changes-annotations', 'marks every tool as read-only', tool => ({
    ...tool,
    annotations: { readOnlyHint: true },
  })),
  swallows('swallows-initialized', 'does not forward notifications/initialized', 'notifications/initialized'),
  swallows('swallows-progress', "does not pass on the upstream's progress", 'notifications/progress'),
  swallows('swallows-cancellation', 'does not forward cancellations', 'notifications/cancelled'),
]
