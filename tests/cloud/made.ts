import type { Built, Deployed, Resource } from './deployed.ts'

/** A function as it would stand in the cloud. */
export interface Made extends Resource {
  /** Where its code is: `functions/memories/add.handler`. */
  handler: string
  arn: string
  /** What its role allows beside writing its log. */
  allowed: { actions: string[]; resources: string[] }[]
  /** What it is linked to, by name. */
  links: Built['links']
}

/** Everything of one type. */
export const made = ({ resources }: Deployed, type: string): Resource[] => resources.filter((each) => each.type === type)

/** Every function, by its name. */
export function functionsOf(deployed: Deployed): Map<string, Made> {
  const roles = new Map(made(deployed, 'aws:iam/role:Role').map((role) => [role.name, role]))
  const built = new Map(deployed.built.map((each) => [each.functionID, each]))
  return new Map(
    made(deployed, 'aws:lambda/function:Function').map((each) => {
      const id = each.name.replace(/Function$/, '')
      const { handler, links } = built.get(id) as Built
      const policies: { policy: string }[] = roles.get(`${id}Role`)?.inputs.inlinePolicies ?? []
      const allowed = policies.flatMap(({ policy }) => JSON.parse(policy).statements as Made['allowed'])
      const arn = `arn:aws:lambda:us-east-1:123456789012:function:${each.name}`
      return [each.name, { ...each, handler, links, arn, allowed: allowed.map(({ actions, resources }) => ({ actions, resources })) }]
    }),
  )
}

/** Which function answers each route: `GET /v1/memories/{id}`. */
export function routesOf(deployed: Deployed): Map<string, Made> {
  const functions = [...functionsOf(deployed).values()]
  const integrations = new Map(
    made(deployed, 'aws:apigatewayv2/integration:Integration').map((each) => [`integrations/${each.name}-id`, each]),
  )
  return new Map(
    made(deployed, 'aws:apigatewayv2/route:Route').map(({ inputs: { routeKey, target } }) => {
      const uri = integrations.get(target)?.inputs.integrationUri
      const answers = functions.find(({ arn }) => arn === uri)
      if (!answers) throw new Error(`${routeKey} leads nowhere`)
      return [routeKey, answers]
    }),
  )
}
