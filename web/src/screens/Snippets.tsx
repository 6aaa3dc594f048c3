// How exporters are told to send here, to be copied; SERVER is the name this page was opened under.
import { Button, Code, CopyButton, Group, Text } from "@mantine/core";

const TEXTS: [string, string][] = [
  ["softflowd", "softflowd -i eth0 -v 10 -n SERVER:4739 -t maxlife=60"],
  [
    "Cisco IOS XE",
    `flow record WEIR
 match ipv4 protocol
 match ipv4 source address
 match ipv4 destination address
 match transport source-port
 match transport destination-port
 match interface input
 collect transport tcp flags
 collect counter bytes long
 collect counter packets long
 collect timestamp absolute first
 collect timestamp absolute last
flow exporter WEIR
 destination SERVER
 transport udp 4739
 export-protocol ipfix
 template data timeout 60
flow monitor WEIR
 record WEIR
 exporter WEIR
 cache timeout active 60
interface GigabitEthernet0/0/0
 ip flow monitor WEIR input`,
  ],
  [
    "Juniper",
    `set services flow-monitoring version-ipfix template weir ipv4-template
set services flow-monitoring version-ipfix template weir flow-active-timeout 60
set services flow-monitoring version-ipfix template weir template-refresh-rate seconds 60
set forwarding-options sampling instance weir input rate 1
set forwarding-options sampling instance weir family inet output flow-server SERVER port 4739 version-ipfix template weir
set forwarding-options sampling instance weir family inet output inline-jflow source-address ADDRESS-OF-THE-ROUTER`,
  ],
  [
    "MikroTik",
    `/ip traffic-flow set enabled=yes active-flow-timeout=1m
/ip traffic-flow target add dst-address=SERVER port=4739 version=ipfix v9-template-timeout=1m`,
  ],
  [
    "Fortinet",
    `config system netflow
 set collector-ip SERVER
 set collector-port 2055
 set active-flow-timeout 60
 set template-tx-timeout 60
end
config system interface
 edit "port1"
  set netflow-sampler both
 next
end`,
  ],
];

export function Snippets({ open }: { open?: boolean }) {
  return (
    <details className="quiet" open={open}>
      <summary>How to send flows here</summary>
      {TEXTS.map(([name, template]) => {
        const text = template.replaceAll("SERVER", window.location.hostname);
        return (
        <div key={name}>
          <Group justify="space-between" mt="xs">
            <Text size="xs">{name}</Text>
            <CopyButton value={text}>
              {({ copied, copy }) => (
                <Button size="compact-xs" variant="default" onClick={copy} aria-label={`Copy for ${name}`}>
                  {copied ? "Copied" : "Copy"}
                </Button>
              )}
            </CopyButton>
          </Group>
          <Code block>{text}</Code>
        </div>
        );
      })}
    </details>
  );
}
