{{- define "tidegauge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tidegauge.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tidegauge.labels" -}}
{{ include "tidegauge.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "tidegauge.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "tidegauge.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "tidegauge.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* The configuration as TOML. What a secret says comes by variable or file. */}}
{{- define "tidegauge.toml" -}}
deployment = {{ required "deployment: name this deployment, e.g. --set deployment=prod-eu" .Values.deployment | quote }}
{{- with .Values.config.clock }}
clock = {{ . | quote }}
{{- end }}
{{- $reserved := dict "kafka" (list "instance") "api" (list "listen" "operations" "address" "tokens") }}
{{- range $table := list "kafka" "ingest" "worker" "clickhouse" "log" }}
{{- with index $.Values.config $table }}

[{{ $table }}]
{{- range $key, $value := . }}
{{- if not (has $key (index $reserved $table | default list)) }}
{{- if kindIs "map" $value }}
{{ $key }} = { {{- range $index, $name := keys $value | sortAlpha }}{{ if $index }}, {{ end }}{{ $name | quote }} = {{ index $value $name | toString | quote }}{{ end -}} }
{{- else if kindIs "string" $value }}
{{ $key }} = {{ $value | quote }}
{{- else if kindIs "float64" $value }}
{{ $key }} = {{ $value | int64 }}
{{- else }}
{{ $key }} = {{ $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

[api]
listen = "0.0.0.0:8080"
operations = "0.0.0.0:9464"
{{- if .Values.secrets.tokens }}
tokens = "/etc/tidegauge/tokens/tokens"
{{- end }}
{{- with .Values.configExtra }}

{{ . }}
{{- end }}
{{- end -}}

{{/* Variables of every container: the pod's name is the member's, and what secrets say. */}}
{{- define "tidegauge.env" -}}
- name: POD
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: TIDEGAUGE_CONFIG
  value: /etc/tidegauge/config/tidegauge.toml
- name: TIDEGAUGE_KAFKA_INSTANCE
  value: $(POD)
{{- with .Values.secrets.clickhousePassword }}
- name: TIDEGAUGE_CLICKHOUSE_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: password}}
{{- end }}
{{- with .Values.secrets.kafkaProperties }}
- name: TIDEGAUGE_KAFKA_PROPERTIES
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: properties}}
{{- end }}
{{- end -}}

{{- define "tidegauge.mounts" -}}
- {name: config, mountPath: /etc/tidegauge/config, readOnly: true}
{{- if .Values.secrets.tokens }}
- {name: tokens, mountPath: /etc/tidegauge/tokens, readOnly: true}
{{- end }}
{{- if .Values.secrets.tls }}
- {name: tls, mountPath: /etc/tidegauge/tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "tidegauge.volumes" -}}
- name: config
  configMap: {name: {{ include "tidegauge.fullname" . }}}
{{- with .Values.secrets.tokens }}
- name: tokens
  secret: {secretName: {{ . | quote }}, defaultMode: 288}
{{- end }}
{{- with .Values.secrets.tls }}
- name: tls
  secret: {secretName: {{ . | quote }}, defaultMode: 288}
{{- end }}
{{- end -}}
