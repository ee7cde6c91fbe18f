# nomad var put nomad/jobs/midclt-scrub-nas1 key=@nas1.key
# nomad job run midclt.nomad.hcl
job "midclt-scrub-nas1" {
  type = "batch"

  periodic {
    crons            = ["0 2 * * 0"]
    prohibit_overlap = true
  }

  group "scrub" {
    # What failed may have been started: look before it is run again.
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "midclt" {
      driver = "docker"

      config {
        image   = "registry.example/midclt:0.1.0"
        command = "midclt"
        args = [
          "-u", "wss://nas1.example/api/current",
          "-U", "admin",
          "-K", "${NOMAD_SECRETS_DIR}/key",
          "call", "--job", "-jp", "description", "pool.scrub", "1",
        ]
      }

      # A file in memory, in place of the environment, which everybody sees who may inspect the allocation.
      template {
        data        = "{{ with nomadVar \"nomad/jobs/midclt-scrub-nas1\" }}{{ .key }}{{ end }}"
        destination = "${NOMAD_SECRETS_DIR}/key"
        perms       = "0400"
        uid         = 1000
        gid         = 1000
      }

      resources {
        cpu    = 100
        memory = 256
      }
    }
  }
}
