;;; Check docs/editors.md against dap-mode itself: launch, stop at a breakpoint, show the variables, leave.
;;
;;   apt-get install emacs-nox elpa-dap-mode && emacs --batch -Q -l dev/dap_mode_check.el
;;
;; Run from the root of the repository, with `opencwm' on the path. Last run: Emacs 28.2, dap-mode 0.7 (Debian 12).

(dolist (folder '("/usr/share/emacs/site-lisp/elpa-src" "/usr/share/emacs/site-lisp/elpa"))
  (dolist (package (directory-files folder t "^[a-z]"))
    (when (file-directory-p package) (add-to-list 'load-path package))))

;; what docs/editors.md says
(require 'dap-mode)
(require 'dap-ui)
(dap-register-debug-provider
 "opencwm"
 (lambda (conf) (plist-put conf :dap-server-path '("opencwm" "dap"))))

(setq dap-auto-configure-features nil dap-auto-show-output nil)

(defun answer (session request arguments)
  "Send REQUEST with ARGUMENTS in SESSION and return the body of its answer."
  (let ((body nil))
    (dap--send-message (dap--make-request request arguments)
                       (lambda (message) (setq body (gethash "body" message)))
                       session)
    (with-timeout (30 (error "no answer to %s" request))
      (while (not body) (accept-process-output nil 0.1)))
    body))

(defvar stopped nil)
(add-hook 'dap-stopped-hook (lambda (session) (setq stopped session)))
(find-file "examples/strawberry.py")
(forward-line 4)
(dap-breakpoint-add)
(dap-debug (list :type "opencwm" :request "launch" :name "OpenCWM" :program "${file}" :call "f('strawberry', 'r')"))
(with-timeout (60 (error "it did not stop")) (while (not stopped) (accept-process-output nil 0.1)))

(let* ((frame (elt (gethash "stackFrames" (answer stopped "stackTrace" '(:threadId 1))) 0))
       (scope (elt (gethash "scopes" (answer stopped "scopes" (list :frameId (gethash "id" frame)))) 0))
       (reference (list :variablesReference (gethash "variablesReference" scope))))
  (princ (format "stopped in %s at line %s\n" (gethash "name" frame) (gethash "line" frame)))
  (mapc (lambda (variable) (princ (format "  %s = %s\n" (gethash "name" variable) (gethash "value" variable))))
        (gethash "variables" (answer stopped "variables" reference)))
  (dap-disconnect stopped))
